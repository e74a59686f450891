/** The query of a guild's status, usable on a server. */
export { guildStatusKey, guildStatusOptions, type GuildStatusOptions } from './guildStatusOptions.js'
