import { onTestFinished, test } from 'vitest'

import { Visit } from './browser.ts'
import { Server } from './server.ts'

test('a reshard shows its 32 shards, and then 16 again', async () => {
  const server = await Server.start(onTestFinished, '--demo')
  const visit = await Visit.begin()
  await visit.page.goto(await server.link())
  for (const count of [16, 32, 16]) {
    await visit.page.waitForFunction(
      (count) => document.querySelectorAll('#tiles li[data-state=online]').length === count,
      count,
      { timeout: 55_000 },
    )
  }
}, 120_000)
