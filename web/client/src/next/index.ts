/** Route handlers for dashboards whose `/api/` is not handed on to guildpulse by a gateway. */
export { statusRoute, streamRoute, type Route, type RouteContext, type RouteOptions } from './routes.js'
