import { cookies } from 'next/headers'
import { redirect } from 'next/navigation'

/** In your dashboard this is what your login does: it sets the cookie, which no script can read. */
async function signIn(form: FormData) {
  'use server'
  const token = String(form.get('token')).trim()
  const guildId = String(form.get('guildId'))
  const store = await cookies()
  const secure = process.env.NODE_ENV === 'production'
  store.set('auth_token', token, { httpOnly: true, sameSite: 'lax', secure, path: '/' })
  redirect(`/guilds/${encodeURIComponent(guildId)}`)
}

export default function SignIn() {
  return (
    <main>
      <h1>Is the bot alive?</h1>
      <form action={signIn}>
        <label>
          Server
          <input name="guildId" required pattern="\d{1,20}" defaultValue="81384788765712384" />
        </label>
        <label>
          Token
          <input name="token" type="password" required autoComplete="off" />
        </label>
        <button>Look</button>
      </form>
    </main>
  )
}
