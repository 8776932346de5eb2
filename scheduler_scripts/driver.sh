# The driver runs in the background, so that this shell can pass on a signal at once.
asked=
driver=
forward() {
    asked=$1
    is_woken=1
    [ -z "$driver" ] || kill -s "$1" "$driver" 2>/dev/null
}
trap 'forward USR2' USR2
trap 'forward TERM' TERM
@command@ </dev/null &
driver=$!
[ -z "$asked" ] || kill -s "$asked" "$driver" 2>/dev/null
while :; do
    is_woken=
    wait "$driver"
    code=$?
    [ -n "$is_woken" ] || break # a signal ends `wait` early; the driver is then still at work
done
driver=
# Asked to stop before it could listen, the driver is ended by the signal itself, and nothing was begun.
if [ -n "$asked" ] && [ "$code" -gt 128 ]; then code=75; fi
@report@
