#!/bin/sh
# Starts the server that `make run` has built, and says how to use it.
set -eu
guildpulse=target/release/guildpulse
data=${GUILDPULSE_DATA:-./guildpulse-data}
listen=${GUILDPULSE_LISTEN:-127.0.0.1:3001}
export GUILDPULSE_DATA="$data" GUILDPULSE_LISTEN="$listen"

operator=$($guildpulse token --operator --ttl 1d)
cat <<EOT

  URL    http://$listen
  token  $operator
         (an operator's, good for a day: it may read everything)

  Beat for a bot, in a second terminal:
    $guildpulse beat --url http://$listen --token-file $data/bot-token \\
      --shard 0/1 --version 1.0.0 -- sleep 1000

  Watch a guild, in a third:
    GUILDPULSE_TOKEN=\$($guildpulse token --operator) \\
      $guildpulse watch 81384788765712384 --url http://$listen

EOT
exec $guildpulse serve
