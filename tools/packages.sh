#!/bin/sh
# Sees to it that the commands named as arguments are there: installs Debian's packages of the
# same names when it may, else says which are missing.
set -eu
missing=
for command in "$@"; do
	command -v "$command" >/dev/null 2>&1 || missing="$missing $command"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
	apt-get update -qq
	# shellcheck disable=SC2086 # one word per package
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
	exit 0
fi
echo "The tests need these Debian packages, please install them first:$missing" >&2
exit 1
