'use client'

import { useCallback, useMemo, useSyncExternalStore } from 'react'
import { EventStream, type ConnectionState, type RetryOptions } from '../core/eventStream.js'
import { parseJson, ParseError } from '../core/status.js'
import { useLatest } from './useLatest.js'

/** What {@link useSSE} does with a stream. All of it may be new at each render; only the last two connect anew. */
export interface UseSSEOptions<T = unknown> extends RetryOptions {
  /** Called with the JSON of each message. What it throws is reported as that of any listener is. */
  onMessage: (data: T) => void
  /** Called once all retries are spent. */
  onError?: (() => void) | undefined
  /** Called with a message that is not JSON. Without it, such messages are passed over. */
  onParseError?: ((error: ParseError) => void) | undefined
  /** Whether cookies go to another origin. */
  withCredentials?: boolean | undefined
  /** Another value opens another connection, as for another user whose cookie is sent. */
  shareKey?: string | undefined
}

/** What {@link useSSE} returns. */
export interface SSEConnection {
  connectionState: ConnectionState
  /** Connects anew, with all retries. It is the same function for as long as the component lives. */
  reconnect: () => void
}

/**
 * Follows an event stream while the component is mounted. A URL that is null or empty opens nothing.
 *
 * Each use of the hook has one EventSource, and any server will do. After a failure it is opened again: after
 * min(`maxRetryDelay`, `initialRetryDelay` · 2ⁿ) and 0 to 50 % more, until it has failed `maxRetries` times and once
 * more without a message between.
 */
export function useSSE<T = unknown>(url: string | null, options: UseSSEOptions<T>): SSEConnection {
  const { withCredentials = false, shareKey = '' } = options
  // All that connects anew.
  const key = url ? JSON.stringify([url, withCredentials, shareKey]) : ''

  const store = useMemo(() => {
    let stream: EventStream | undefined
    const listener = {
      retry: () => latest.current,
      onMessage(event: MessageEvent<string>) {
        const data = parseJson(event.data)
        if (data !== undefined) latest.current.onMessage(data as T)
        else latest.current.onParseError?.(new ParseError('message: expected JSON', event.data))
      },
      onExhausted: () => latest.current.onError?.(),
    }
    return {
      follow(changed: () => void) {
        if (url) stream = new EventStream(url, withCredentials, listener, changed)
        stream?.open()
        return () => {
          stream?.close()
          stream = undefined
        }
      },
      read: () => stream?.state ?? 'connecting',
      reconnect: () => stream?.open(),
    }
  }, [key])
  const latest = useLatest({ ...options, store })
  const connectionState = useSyncExternalStore(store.follow, store.read, () => 'connecting' as const)
  const reconnect = useCallback(() => latest.current.store.reconnect(), [])
  return { connectionState, reconnect }
}
