#!/usr/bin/env bash
# fetch.sh prometheus|wordpress: programs of Debian that adapters are tried on, unpacked into build/counterparts/root and not installed: an
# installed one would start as a service of this machine. Says why if they cannot be had; their tests are skipped then, and say so.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=build/counterparts/root
case ${1:-} in
  prometheus) packages=(prometheus prometheus-pushgateway) ;;
  wordpress)
    command -v apt-cache >/dev/null || { echo "fetch.sh: this is no Debian" >&2; exit 1; }
    php=$(apt-cache depends php-cli | sed -nE 's/.*Depends: (php[0-9.]+)-cli.*/\1/p' | head -n 1)
    packages=(wordpress php-getid3 "$php-cli" "$php-common" "$php-mysql" mariadb-server-core)
    # What these need and a system without them may not have; names of Debian 12 and 13.
    for library in libaio1 libaio1t64 libnuma1 liburing2 libsodium23 libargon2-1 libedit2 libbsd0 libpcre2-8-0; do
      apt-cache show "$library" >/dev/null 2>&1 && packages+=("$library")
    done
    ;;
  *) echo "fetch.sh prometheus|wordpress" >&2; exit 64 ;;
esac
[ -e "$root/.has-$1" ] && exit
command -v apt-get >/dev/null || { echo "fetch.sh: this is no Debian" >&2; exit 1; }
mkdir -p "$root" build/counterparts/packages
(cd build/counterparts/packages && apt-get -o APT::Sandbox::User=root download -qq "${packages[@]}")
for package in "${packages[@]}"; do
  dpkg -x build/counterparts/packages/"$package"_*.deb "$root"
done
touch "$root/.has-$1"
