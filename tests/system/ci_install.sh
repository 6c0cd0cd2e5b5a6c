#!/bin/bash
# cmake --install puts everything where an operator and the system look for it, the units name the programs of that prefix,
# and what is installed can be used: units are clean and closed (at most 2.5), user and folder are made, udev's lines parse.
set -eu
bin=${BASAL_BIN:?}
exposure_max=25 # 2.5 of 10, in tenths
command -v systemd-analyze >/dev/null || { echo "no systemd-analyze here"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0
say() { echo "$1"; bad=1; }

DESTDIR=$work/usr cmake --install "$bin/.." --prefix /usr >/dev/null
DESTDIR=$work/opt cmake --install "$bin/.." --prefix /opt/basald >/dev/null
root=$work/usr
for f in bin/basald bin/basalctl bin/basalsim bin/basal-bench lib/systemd/system/basald.service lib/systemd/system/basald@.service \
    lib/sysusers.d/basald.conf lib/tmpfiles.d/basald.conf lib/udev/rules.d/60-basald.rules share/man/man8/basald.8 \
    share/man/man1/basalctl.1 share/man/man1/basalsim.1 share/man/man1/basal-bench.1 share/man/man5/basald.yaml.5 share/basald/robots/crawler.yaml \
    share/basald/proto/basald.proto share/basald/examples/telemetry.py; do
    [ -s "$root/usr/$f" ] || say "$f is not installed"
done
cmp deploy/basald.service "$root/usr/lib/systemd/system/basald.service" || say "under /usr the unit is the one in deploy"
grep -q '^ExecStart=/opt/basald/bin/basald ' "$work/opt/opt/basald/lib/systemd/system/basald@.service" ||
    say "the unit does not name the programs of its prefix"
if grep -n '/usr/bin/' "$work/opt/opt/basald/lib/systemd/system/"*; then say "... and still names others"; fi

# what was installed runs, with the serial BLAS and no other
for robot in "$root"/usr/share/basald/robots/*.yaml; do
    said=$("$root/usr/bin/basald" --check-config "$robot" 2>&1) || case $said in
    *"built without MuJoCo: install libmujoco-dev"*) echo "not checked, there is no MuJoCo: ${robot##*/}" ;;
    *) say "the installed basald does not accept ${robot##*/}: $said" ;;
    esac
done
ldd "$root/usr/bin/basald" | grep -E 'libopenblas|liblapacke|libblas' | grep -v openblas-serial | grep -E 'pthread|openmp' &&
    say "the installed basald would load a threaded BLAS"
ldd "$root/usr/bin/basald" | grep -q 'libopenblas.*/openblas-serial/' || say "the installed basald lost its serial BLAS"

# the service and its template, checked where their programs are
for unit in basald.service basald@.service; do
    sed "s|/usr/bin/|$root/usr/bin/|" "$root/usr/lib/systemd/system/$unit" >"$work/$unit"
done
sed 's|%i|arm|g' "$work/basald@.service" >"$work/basald@arm.service"
for unit in basald.service basald@.service basald@arm.service; do
    out=$(systemd-analyze verify --man=no "$work/$unit" 2>&1) && [ -z "$out" ] || say "$unit: $out"
    systemd-analyze security --offline=yes --threshold=$exposure_max "$work/$unit" >"$work/security" 2>&1 ||
        say "$unit: $(tail -n 1 "$work/security")"
    tail -n 1 "$work/security"
done
# the two differ in names alone
diff <(sed -e 's/basald@NAME/basald/; s/-%i//g; s/%i.yaml/basald.yaml/; s/ (%i)//' deploy/basald@.service | grep -v '^#') \
    <(grep -v '^#' deploy/basald.service) || say "basald@.service and basald.service differ"

mkdir -p "$work/root/etc"
systemd-sysusers --root="$work/root" "$root/usr/lib/sysusers.d/basald.conf" && grep -q '^basald:' "$work/root/etc/passwd" &&
    grep -q '^basald:' "$work/root/etc/group" || say "sysusers makes no user basald"
systemd-tmpfiles --root="$work/root" --create "$root/usr/lib/tmpfiles.d/basald.conf" && [ -d "$work/root/etc/basald" ] ||
    say "tmpfiles makes no /etc/basald"
grep -vE '^(#|$)' deploy/60-basald.rules | grep -vE '^([A-Z_]+(\{[^}]+\})?(==|!=|\+=|:=|=)"[^"]*"(, |$))+$' && say "udev would not read this line"
for robot in crawler so101; do
    device=$(sed -n 's/^ *device: *\([^ ]*\).*/\1/p' deploy/robots/$robot.yaml)
    grep -q "SYMLINK+=\"${device#/dev/}\"" deploy/60-basald.rules || say "no rule makes $device"
done
exit $bad
