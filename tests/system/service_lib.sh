# shellcheck shell=bash
# Shared by the tests of the service: what was built, installed aside and run in a container with a real systemd.
inside() { # build folder, scenarios
    local build=$1 status=0
    shift
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT TERM
    DESTDIR=$work cmake --install "$build" --prefix /usr >/dev/null
    cp tests/system/service_inside.sh "$work/"
    tests/system/nspawn-run -t 240 -n --bind-ro="$work:/t" bash /t/service_inside.sh "$@" || status=$?
    if [ $status = 125 ]; then
        echo "skipped: no container with a systemd can be started here"
        return 77
    fi
    return $status
}
