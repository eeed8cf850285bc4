# Functions of image-check and compose-check, which set the service's address ($address), its key once known ($key), and how
# they fail (`fail`).
say() { printf '%4d s  %s\n' "$SECONDS" "$*"; }
get() { curl --silent --show-error --fail --noproxy '*' --max-time 65 --header "Authorization: Bearer ${key:-none}" "$@"; }
status() { curl --silent --noproxy '*' --max-time 65 --output /dev/null --write-out '%{http_code}' "$@"; }

wait_until_ready() {
  local deadline=$((SECONDS + 60))
  until get "$address/readyz" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || fail "the service did not become ready within 60 seconds"
    sleep 0.2
  done
}
