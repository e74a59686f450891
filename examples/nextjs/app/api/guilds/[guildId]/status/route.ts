import { statusRoute } from 'guildpulse/next'

export const { GET } = statusRoute()
