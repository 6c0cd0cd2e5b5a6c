# shellcheck shell=bash
# Shared by the tests under a real systemd, in a container or a virtual machine: what they bring along lies in $work, /t in
# a container.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

container() { # script of tests/system, its arguments
    local status=0 script=$1
    shift
    cp tests/system/service_steps.sh "tests/system/$script" "$work/"
    tests/system/nspawn-run -t 240 -n --bind-ro="$work:/t" bash "/t/$script" "$@" || status=$?
    if [ $status = 125 ]; then
        echo "skipped: no container with a systemd can be started here"
        return 77
    fi
    return $status
}

inside() { # build folder, scenarios: what was built, installed aside
    local build=$1
    shift
    DESTDIR=$work cmake --install "$build" --prefix /usr >/dev/null
    container service_inside.sh "$@"
}

packages() { # build folder: the package, and two upgrades of it, which differ in their version alone
    local version name
    BUILD_DIR=$1 deploy/package.sh >"$work/package.log" 2>&1 || { cat "$work/package.log"; return 1; }
    cp "$(tail -n 1 "$work/package.log")" "$work/old.deb"
    version=$(dpkg-deb -f "$work/old.deb" Version)
    dpkg-deb -R "$work/old.deb" "$work/deb"
    for name in new newer; do
        version=$version+1
        sed -i "s/^Version: .*/Version: $version/" "$work/deb/DEBIAN/control"
        dpkg-deb --root-owner-group -Zgzip -z1 -b "$work/deb" "$work/$name.deb" >/dev/null
    done
}
