/** What the compiler has to say of the two forms of `BotStatus`. Nothing of it runs. */
import { BotStatus, type BotStatusProps } from '../../src/react/index.js'

export const allowed = [
  <BotStatus healthy={false} />,
  <BotStatus healthy lastHeartbeat={undefined} version={null} connectionState="error" onReconnect={() => {}} className="x" />,
  <BotStatus guildId="1" />,
  <BotStatus guildId={null} streamUrl="/s" statusUrl="/j" withCredentials shareKey="me" onUnauthorized={() => {}} />,
  <BotStatus guildId="1" announce={false} labels={{ online: 'Da', fatal: 'abgewiesen' }} />,
]

export const refused = [
  // @ts-expect-error neither form
  <BotStatus />,
  // @ts-expect-error both forms
  <BotStatus healthy guildId="1" />,
  // @ts-expect-error a part of the other form
  <BotStatus guildId="1" lastHeartbeat="2026-11-22T20:07:00.000Z" />,
  // @ts-expect-error a part of the other form
  <BotStatus healthy streamUrl="/s" />,
  // @ts-expect-error no such word
  <BotStatus healthy labels={{ onlin: 'Da' }} />,
]

/** A component that passes on what it is given. */
export const Wrapped = (props: BotStatusProps) => <BotStatus {...props} className={`wrapped ${props.className ?? ''}`} />
