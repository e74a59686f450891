import { streamRoute } from 'guildpulse/next'

export const { GET } = streamRoute()
