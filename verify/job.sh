# Tries targets with the shell, nc, nslookup, getent and curl of Alpine (BusyBox) or Debian. The caller sets these, defines
# check_all, and calls main.
: "${timeout:=5}" "${wait:=0}" "${place:=pod}" "${magic:=100.100.100.100}" "${curl_options:=}"

short() { printf '%s' "$1" | tr -s '\n\t ' '   ' | tr -s ' ' | cut -c 1-200 | sed 's/^ *//; s/ *$//'; }

# what may stand in a string of JSON
plain() { printf '%s' "$1" | tr -d '\\"\000-\037' | cut -c 1-200; }

# report TARGET KIND HOST OUTCOME DETAIL [MORE JSON]
report() {
  took=$(($(date +%s) - began))
  detail=$(short "$5")
  if [ "$4" = ok ]; then
    echo "ok      $1${detail:+  $detail}"
  else
    failed=1
    echo "FAILED  $1  $4${detail:+: $detail}"
    case $4 in timeout | unreachable) silent=1 ;; esac
  fi
  json="$json{\"target\":\"$1\",\"kind\":\"$2\",\"from\":\"$place\",\"outcome\":\"$4\",\"detail\":\"$(plain "$detail")\",\"host\":\"$3\",\"latency\":\"${took}s\",\"latencySeconds\":$took,\"attempts\":$attempt${6:+,$6}}
"
}

# addresses as a list in JSON, out of lines
list() { printf '%s\n' "$1" | sed -n '/^[0-9a-fA-F.:]\{2,\}$/{s/.*/"&"/;p;}' | tr '\n' ',' | sed 's/,$//'; }

first() { printf '%s\n' "$1" | sed -n 1p; }

dns() { # SERVER OUTCOME ADDRESSES
  echo "{\"server\":\"$1\",\"outcome\":\"$2\"${3:+,\"addresses\":[$(list "$3")]}}"
}

# lookup NAME SERVER: sets answer, addresses and dns_outcome
lookup() {
  addresses=
  for type in a aaaa; do
    answer=$(nslookup -timeout="$timeout" -type="$type" "$1." "$2" 2>&1)
    case $answer in
      *Name:*)
        dns_outcome=ok
        addresses=$(printf '%s\n' "$answer" | sed -n '/^Name:/,$s/^Address[^:]*:[[:space:]]*//p' | cut -d ' ' -f 1)
        [ -n "$addresses" ] && return 0
        ;;
      *'timed out'* | *'no servers could be reached'*) break ;;
    esac
  done
  case $answer in
    *NXDOMAIN*) dns_outcome=no-such-name ;;
    *SERVFAIL*) dns_outcome=servfail ;;
    *REFUSED*) dns_outcome=dns-refused ;;
    *'timed out'* | *'no servers could be reached'*) dns_outcome=dns-timeout ;;
    *) dns_outcome=no-address ;;
  esac
  return 1
}

# ask_magic NAME: asks each server of MagicDNS until one has the name; sets magic_json
ask_magic() {
  for server in $magic; do
    lookup "$1" "$server"
    [ "$dns_outcome" = dns-timeout ] && [ -n "$magic_json" ] && continue
    case $server in *:*) shown="[$server]:53" ;; *) shown=$server:53 ;; esac
    magic_json="\"magicDNS\":$(dns "$shown" "$dns_outcome" "$addresses")"
    [ "$dns_outcome" = ok ] && return 0
  done
  return 1
}

check_tcp() { # TARGET HOST PORT
  began=$(date +%s)
  said=$(nc -vv -z -w "$timeout" "$2" "$3" 2>&1 < /dev/null)
  status=$?
  took=$(($(date +%s) - began))
  address=
  case $2 in *[!0-9a-fA-F.:]*) ;; *) address=",\"address\":\"$2\"" ;; esac
  if [ "$status" = 0 ]; then
    reached=1
    report "$1" tcp "$2" ok '' "\"port\":$3$address"
    return
  fi
  case $said in
    *[Rr]efused*) outcome=refused; said='nothing listens on the port, or a firewall says so' ;;
    *'bad address'* | *resolve* | *'not known'*) outcome=no-such-name; unnamed=1 ;;
    *[Uu]nreachable* | *'o route'*) outcome=unreachable ;;
    *'timed out'* | *'n progress'*) outcome=timeout; said="no answer in $timeout s" ;;
    *) if [ "$took" -ge "$timeout" ]; then outcome=timeout; said="no answer in $timeout s"; else outcome=failed; fi ;;
  esac
  report "$1" tcp "$2" "$outcome" "$said" "\"port\":$3$address"
}

# openssl_reason TEXT: the reason in an error of OpenSSL, a number: from 1000 on they are the alerts of TLS
openssl_reason() {
  hex=$(printf '%s\n' "$1" | sed -n 's/.*error:[01][4A][0-9A-Fa-f]\{3\}\([0-9A-Fa-f]\{3\}\):.*/\1/p' | tail -n 1)
  echo $((0x${hex:-0}))
}

alert_name() { # NUMBER
  case $1 in
    40) echo handshake_failure ;; 42) echo bad_certificate ;; 48) echo unknown_ca ;; 49) echo access_denied ;; 50) echo decode_error ;;
    70) echo protocol_version ;; 71) echo insufficient_security ;; 80) echo internal_error ;; 112) echo unrecognized_name ;;
    116) echo certificate_required ;; 120) echo no_application_protocol ;; *) echo "alert_$1" ;;
  esac
}

# judge_certificate NUMBER: sets outcome and problem by OpenSSL's result of verifying
judge_certificate() {
  case $1 in
    0 | 1) outcome=tls-name problem=name ;; # OpenSSL has nothing to say against it: it was curl, which compares the name
    9) outcome=tls-expired problem=not-yet-valid ;;
    10) outcome=tls-expired problem=expired ;;
    18) outcome=tls-untrusted problem=self-signed ;;
    26) outcome=tls-invalid problem=usage ;;
    24 | 79) outcome=tls-invalid problem=not-an-authority ;;
    25 | 34 | 47 | 48) outcome=tls-invalid problem=constraints ;;
    66 | 67 | 68) outcome=tls-invalid problem=signature ;;
    62 | 64) outcome=tls-name problem=name ;;
    *) outcome=tls-untrusted problem=unknown-authority ;;
  esac
}

check_https() { # TARGET HOST PORT URL [--resolve NAME:PORT:IP]
  target=$1 host=$2 port=$3 url=$4
  shift 4
  began=$(date +%s)
  # shellcheck disable=SC2086 # several options
  said=$(curl -sSv -o /dev/null --noproxy '*' --connect-timeout "$timeout" --max-time $((2 * timeout)) $curl_options "$@" \
    -w '\nstatus %{http_code}, %{remote_ip}, TLS after %{time_appconnect} s, connected after %{time_connect} s\nverify %{ssl_verify_result}\n' "$url" 2>&1)
  status=$?
  figures=$(printf '%s\n' "$said" | sed -n 's/^status /status /p' | tail -n 1)
  verified=$(printf '%s\n' "$said" | sed -n 's/^verify \([0-9]*\)$/\1/p' | tail -n 1)
  case $said in *[Rr]'efused'*) refused=1 ;; *) refused= ;; esac
  case $said in *'TLS handshake, Request CERT'*) asked=1 ;; *) asked= ;; esac
  case $said in *'TLS handshake, Client hello'*) greeted=1 ;; *) greeted= ;; esac
  said=$(printf '%s\n' "$said" | sed '/^status /d; /^verify /d; /^[*<>{} ]/d; /^[[:space:]]*$/d')
  code=$(printf '%s' "$figures" | sed -n 's/^status 0*\([0-9]*\).*/\1/p')
  address=$(printf '%s' "$figures" | sed -n 's/^status [0-9]*, \([0-9a-fA-F.:]*\),.*/\1/p')
  # nor to which address it failed to connect
  if [ -z "$address" ]; then
    case ${1:-} in --resolve) address=$(printf '%s' "${2#"$host:$port:"}" | tr -d '[]') ;; *) case $host in *[!0-9a-fA-F.:]*) ;; *) address=$host ;; esac ;; esac
  fi
  # where a handshake fails, curl has forgotten when it was connected
  case $figures in '' | *'connected after 0.000000 s'*) connected=$greeted ;; *) connected=1 ;; esac
  case $figures in '' | *'TLS after 0.000000 s'*) secured= ;; *) secured=1 ;; esac
  reason=$(openssl_reason "$said")
  problem='' alert='' needed=''
  [ "$reason" -ge 1000 ] && alert=$((reason - 1000))
  case $status in
    0) outcome=ok ;;
    6) outcome=no-such-name; unnamed=1 ;;
    7) if [ -n "$refused" ]; then outcome=refused; else case $said in *'timed out'*) outcome=timeout ;; *) outcome=unreachable ;; esac fi ;;
    28) if [ -z "$connected" ]; then outcome=timeout; elif [ -z "$secured" ]; then outcome=tls-timeout; else outcome=no-http; fi ;;
    35)
      case $reason in
        191 | 258 | 333) outcome=tls-version ;;    # no protocols available, unsupported protocol, legacy signature
        156 | 198 | 252 | 267) outcome=not-tls ;;  # http request, packet length too long, unknown protocol, wrong version number
        0 | 294) outcome=closed ;;                 # a reset, or an end without a word
        *) outcome=tls-refused ;;
      esac
      ;;
    51) outcome=tls-name problem=name ;;
    60) judge_certificate "${verified:-20}" ;;
    *) if [ -n "$connected" ]; then outcome=no-http; else outcome=failed; fi ;;
  esac
  # a server that wants a certificate of the client is reached: it says so in the handshake, or after that of TLS 1.3
  case $status in
    16 | 35 | 52 | 55 | 56 | 92) if [ -n "$asked" ] && [ "$alert" != 80 ]; then outcome=ok needed=1; fi ;;
  esac
  # of its own authority alone, and nothing between that and the server's certificate
  case $problem,$curl_options in
    unknown-authority,*cacert*)
      certificates=$(curl -sk -o /dev/null --noproxy '*' --max-time "$timeout" "$@" -w '%{num_certs}' "$url" 2> /dev/null)
      [ "$certificates" = 1 ] && problem=missing-intermediate
      ;;
  esac
  if [ "$outcome" = ok ]; then reached=1; said="${needed:+it wants a certificate of the client, }$figures"; fi
  shown=
  if [ -n "$connected" ]; then
    case $host in *[!0-9.:]*) name=",\"serverName\":\"$host\"" ;; *) name= ;; esac
    case $outcome$curl_options in ok*--insecure*) good=false ;; ok*) good=true ;; *) good=false ;; esac
    shown="\"tls\":{\"chain\":[],\"verified\":$good$name${problem:+,\"problem\":\"$problem\"}${alert:+,\"alert\":\"$(alert_name "$alert")\"}${asked:+,\"clientCertificate\":true}${needed:+,\"clientCertificateNeeded\":true}}"
  fi
  report "$target" https "$host" "$outcome" "$said" "\"port\":$port${address:+,\"address\":\"$address\"}${code:+,\"status\":$code}${shown:+,$shown}"
}

check_dns() { # TARGET NAME SERVER
  began=$(date +%s)
  lookup "$2" "$3"
  case $3 in *:*) shown="[$3]:53" ;; *) shown=$3:53 ;; esac
  address=$(first "$addresses")
  [ "$dns_outcome" = ok ] && answer=$addresses
  for server in $magic; do [ "$server" = "$3" ] && [ "$dns_outcome" = ok ] && reached=1; done
  report "$1" dns "$2" "$dns_outcome" "$answer" "${address:+\"address\":\"$address\",}\"dns\":$(dns "$shown" "$dns_outcome" "$addresses")"
}

# ask_system NAME: sets addresses, as programs in the pod get them
ask_system() {
  answer=$(getent ahosts "$1" 2> /dev/null) || answer=$(getent hosts "$1" 2> /dev/null) || return 1
  addresses=$(printf '%s\n' "$answer" | sed 's/[[:space:]].*//' | sort -u)
  [ -n "$addresses" ]
}

check_name() { # TARGET NAME
  began=$(date +%s)
  if ask_system "$2"; then
    report "$1" dns "$2" ok "$addresses" "\"address\":\"$(first "$addresses")\",\"dns\":$(dns system ok "$addresses")"
  else
    unnamed=1
    report "$1" dns "$2" no-such-name 'the cluster does not resolve it' "\"dns\":$(dns system no-such-name '')"
  fi
}

check_tailnet() { # TARGET NAME
  began=$(date +%s)
  magic_json=
  if ! ask_system "$2"; then
    unnamed=1
    if ask_magic "$2"; then
      reached=1
      said='MagicDNS has it, the cluster does not resolve it'
    else
      said='neither MagicDNS nor the cluster resolves it'
    fi
    report "$1" tailnet "$2" no-such-name "$said" "\"dns\":$(dns system no-such-name ''),$magic_json"
    return
  fi
  found=$addresses
  ours=$(printf '%s\n' "$found" | grep -E '^(100\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\.|fd7a:115c:a1e0:)')
  if [ -z "$ours" ]; then
    outcome=not-tailnet said="it resolves to $found, which is no address of a tailnet"
    # a search domain may answer for it: the name with a final dot takes none
    if ! ask_system "$2." || [ "$addresses" != "$found" ]; then said="$said: a search domain answers"; fi
    if [ "$addresses" = "$found" ]; then magic_json="\"absolute\":$(dns system ok "$found")"; else magic_json="\"absolute\":$(dns system no-such-name '')"; fi
  else
    outcome=ok said=$ours
  fi
  report "$1" tailnet "$2" "$outcome" "$said" "\"address\":\"$(first "${ours:-$found}")\",\"dns\":$(dns system ok "$found")${magic_json:+,$magic_json}"
}

main() {
  end=$(($(date +%s) + wait))
  attempt=1
  while
    reached='' unnamed='' failed='' silent='' json=''
    check_all
    [ -n "$failed" ] && [ "$(date +%s)" -lt "$end" ]
  do
    echo 'trying again'
    attempt=$((attempt + 1))
    sleep 2
  done

  if [ -n "$unnamed" ] && [ -n "$reached" ]; then
    echo 'The tailnet is reached and its names do not resolve in pods, which is so unless they are bridged: with static hosts'
    echo '(talos-tsbridge --static-host), the resolver of MagicDNS on the nodes (--magicdns resolver), or a stub zone in CoreDNS.'
  fi
  if [ -n "$silent" ]; then
    echo 'No answer: the node may not be on the tailnet, the CNI may not masquerade, or a NetworkPolicy (or Cilium'\''s) of the'
    echo 'namespace may not let the pod out. The lines below, given to talos-tsbridge verify --also, tell which.'
  fi
  printf '%s' "$json"
  [ -z "$failed" ]
}
