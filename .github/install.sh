#!/usr/bin/env bash
# Installs a release for action.yml: VERSION from BASE, if its archive has the checksum SHA256, or else that in checksums.txt.
set -euo pipefail

case $(uname -s) in
Linux) system=linux ;;
Darwin) system=darwin ;;
*) system=windows ;;
esac

case $(uname -m) in
x86_64 | amd64) architecture=amd64 ;;
*) architecture=arm64 ;;
esac

suffix=tar.gz
[ $system != windows ] || suffix=zip
archive=talos-tsbridge_${VERSION#v}_${system}_${architecture}.$suffix

folder=${RUNNER_TEMP:?}/talos-tsbridge
mkdir -p "$folder"
cd "$folder"

curl -sSfL --retry 3 -o "$archive" "$BASE/$VERSION/$archive"

if [ -z "${SHA256:-}" ]; then
	curl -sSfL --retry 3 -o checksums.txt "$BASE/$VERSION/checksums.txt"
	SHA256=$(awk -v file="$archive" '$2 == file { print $1 }' checksums.txt)
fi

if command -v sha256sum > /dev/null; then
	got=$(sha256sum "$archive" | cut -d' ' -f1)
else
	got=$(shasum -a 256 "$archive" | cut -d' ' -f1)
fi

if [ "$got" != "$SHA256" ]; then
	echo "$archive has the checksum $got, not ${SHA256:-any of those in checksums.txt}" >&2
	exit 1
fi

if [ $suffix = zip ]; then
	unzip -q -o "$archive"
else
	tar -xzf "$archive"
fi

echo "$folder" >> "${GITHUB_PATH:?}"
