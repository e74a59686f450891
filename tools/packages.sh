#!/bin/sh
# Sees to it that the commands named as arguments are there: installs Debian's packages of the
# same names when it may, else says which are missing. PACKAGE=/PATH names a package by a file of it.
set -eu
missing=
for wanted in "$@"; do
	case $wanted in
	*=*) [ -e "${wanted#*=}" ] || missing="$missing ${wanted%%=*}" ;;
	*) command -v "$wanted" >/dev/null 2>&1 || missing="$missing $wanted" ;;
	esac
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
	apt-get update -qq
	# RUNLEVEL keeps a package from starting what it installs.
	# shellcheck disable=SC2086 # one word per package
	RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
	exit 0
fi
echo "These Debian packages are missing, please install them first:$missing" >&2
exit 1
