#!/usr/bin/env bash
# Runs a real Apache Kafka (KRaft, no Docker) on this machine: for trying Telex out and for its tests.
# Needs Java 17 or newer and Maven, which fetches the broker once; with --secure OpenSSL besides.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: kafka.sh up     [--brokers 1|3] [--dir DIR] [--set KEY=VALUE]... [--secure [--user NAME]...]
       kafka.sh run    as up, then stops when its standard input ends
       kafka.sh down   [--dir DIR]
       kafka.sh status [--dir DIR]

up starts the brokers on free ports of 127.0.0.1 and prints their addresses as its last line. Brokers that were
stopped or killed are started again with their ports and data. Everything is kept in DIR (target/kafka unless
given), the logs in DIR/broker-N/server.log. --set adds a property to the brokers of a new DIR.

--secure makes brokers that speak TLS only, ask for SASL/SCRAM-SHA-512 and allow nothing that no ACL allows. DIR/tls/ca.pem
is what clients trust; DIR/users/NAME.password is the password of a user: of admin, who may do everything, and of each
--user, who may do nothing yet.
USAGE
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
target=${CARGO_TARGET_DIR:-$here/../../target}

# Longest wait for the brokers. They take 3 s on an idle machine and a multiple of that on one that builds.
START_SECONDS=90
# Longest wait for an orderly end before a broker is killed.
STOP_SECONDS=30
# Between the privileged ports and those that systems give to outgoing connections.
FIRST_PORT=15000
PORTS=17000

die() {
    printf 'kafka.sh: %s\n' "$*" >&2
    exit 1
}

need() {
    command -v "$1" >/dev/null || die "$1 is missing; on Debian: apt-get install $2"
}

# Fetches the jars, unless that was done before; several may ask at once.
resolve() {
    local of_pom
    of_pom=$(cksum <"$here/pom.xml" | cut -d ' ' -f 1)
    jars=$target/kafka-jars/$of_pom
    [[ -d $jars ]] && return
    need mvn maven
    mkdir -p "$target/kafka-jars"
    (
        flock 9
        [[ -d $jars ]] && exit
        local part=$jars.part log=$target/kafka-jars/maven.log
        rm -rf "$part"
        echo "fetching Apache Kafka (once, 45 MB)" >&2
        mvn --batch-mode --quiet --file "$here/pom.xml" dependency:copy-dependencies \
            -DincludeScope=runtime -DoutputDirectory="$part" >"$log" 2>&1 ||
            die "Apache Kafka could not be fetched, see $log"
        mv "$part" "$jars"
    ) 9>"$target/kafka-jars/lock"
}

free_port() {
    local port
    for _ in {1..200}; do
        port=$((FIRST_PORT + (RANDOM << 15 | RANDOM) % PORTS))
        # Nobody answers, and we have not just taken it ourselves.
        if [[ " ${taken[*]} " != *" $port "* ]] && ! (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            taken+=("$port")
            return
        fi
    done
    die "no free port between $FIRST_PORT and $((FIRST_PORT + PORTS))"
}

# Makes an authority and a certificate of the brokers that it signs.
certify() {
    local tls=$dir/tls
    need openssl openssl
    mkdir -p "$tls"
    {
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj "/CN=local Kafka authority" \
            -keyout "$tls/ca.key" -out "$tls/ca.pem"
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=local Kafka" \
            -keyout "$tls/broker.key" -out "$tls/broker.csr"
        openssl x509 -req -in "$tls/broker.csr" -CA "$tls/ca.pem" -CAkey "$tls/ca.key" -days 30 \
            -extfile <(echo "subjectAltName=IP:127.0.0.1,DNS:localhost") -out "$tls/broker.crt"
    } 2>"$tls/openssl.log" || die "certificates could not be made, see $tls/openssl.log"
    cat "$tls/broker.key" "$tls/broker.crt" >"$tls/broker.pem"
}

# Makes a password; letters and digits, so that it needs no quotes anywhere.
password() {
    openssl rand -hex 16
}

# Writes what a secure broker has beside the others' settings.
secure_settings() {
    cat <<PROPERTIES

security.inter.broker.protocol=SASL_SSL
sasl.enabled.mechanisms=SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \
username="admin" password="$(<"$dir/users/admin.password")";
ssl.keystore.type=PEM
ssl.keystore.location=$dir/tls/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location=$dir/tls/ca.pem
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
# The controllers' listener is of this machine only and asks nobody for a name.
super.users=User:admin;User:ANONYMOUS
PROPERTIES
}

# Writes the settings of new brokers and formats their storage.
prepare() {
    local taken=() brokers=() voters="" i copies=1 in_sync=1 cluster scram=() user
    if ((count == 3)); then
        copies=3
        in_sync=2
    fi
    for ((i = 1; i <= count; i++)); do
        free_port
        brokers+=("127.0.0.1:${taken[-1]}")
        free_port
        voters+="${voters:+,}$i@127.0.0.1:${taken[-1]}"
    done
    # A cluster id is 16 random bytes in base64 for URLs.
    cluster=$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=')
    # The tool takes a hyphen in front for an option.
    cluster=${cluster/#-/A}
    if [[ -n $secure ]]; then
        certify
        mkdir -p "$dir/users"
        for user in admin ${users[@]+"${users[@]}"}; do
            (umask 077 && password >"$dir/users/$user.password")
            scram+=(--add-scram "SCRAM-SHA-512=[name=$user,password=$(<"$dir/users/$user.password")]")
        done
    fi
    for ((i = 1; i <= count; i++)); do
        mkdir -p "$dir/broker-$i"
        settings "$i" "$voters" "${brokers[i - 1]}" "$copies" "$in_sync" >"$dir/broker-$i/server.properties"
        [[ -z $secure ]] || secure_settings >>"$dir/broker-$i/server.properties"
        ((${#extra[@]} == 0)) || printf '%s\n' "${extra[@]}" >>"$dir/broker-$i/server.properties"
        java -cp "$jars/*" "-Dlog4j2.configurationFile=$here/log4j2.xml" \
            "-Dtelex.kafka.log=$dir/broker-$i/server.log" kafka.tools.StorageTool format \
            -t "$cluster" -c "$dir/broker-$i/server.properties" ${scram[@]+"${scram[@]}"} >"$dir/broker-$i/format.log" 2>&1 ||
            die "the storage could not be made, see $dir/broker-$i/format.log"
    done
    (
        IFS=,
        printf '%s\n' "${brokers[*]}"
    ) >"$dir/bootstrap"
}

# Prints a broker's settings: id, voters, its address, copies of the internal topics, copies in sync.
settings() {
    local controller=${2#*"$1"@} protocol=PLAINTEXT
    [[ -z $secure ]] || protocol=SASL_SSL
    cat <<PROPERTIES
process.roles=broker,controller
node.id=$1
controller.quorum.voters=$2
controller.listener.names=CONTROLLER
listeners=$protocol://$3,CONTROLLER://${controller%%,*}
advertised.listeners=$protocol://$3
listener.security.protocol.map=$protocol:$protocol,CONTROLLER:PLAINTEXT
log.dirs=$dir/broker-$1/data

# Telex makes its topics itself; a topic that appears because somebody misspelt it helps nobody.
auto.create.topics.enable=false
# 8 MiB of key, value and headers, and 64 KiB for what Kafka puts around them.
message.max.bytes=8454144
default.replication.factor=$4
min.insync.replicas=$5

# Small internal topics, of as many copies as there are brokers.
offsets.topic.num.partitions=5
offsets.topic.replication.factor=$4
transaction.state.log.num.partitions=5
transaction.state.log.replication.factor=$4
transaction.state.log.min.isr=$5
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=$4
share.coordinator.state.topic.min.isr=$5

# Quick to form a group, to notice a dead broker or member, to end what a dead producer left open.
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
transaction.abort.timed.out.transaction.cleanup.interval.ms=500
PROPERTIES
}

# Prints the pid of a broker of ours that runs.
pid_of() {
    local pid
    pid=$(cat "$1/pid" 2>/dev/null) || return 1
    # The pid may be another program's by now.
    [[ $(ps -p "$pid" -o args= 2>/dev/null) == *"kafka.Kafka $1/server.properties" ]] || return 1
    printf '%s\n' "$pid"
}

started() {
    grep -c 'Kafka Server started' "$1/server.log" 2>/dev/null || true
}

start() {
    local broker=$1
    # Its own session, so that a Ctrl-C meant for somebody else does not end it.
    setsid java -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$jars/*" \
        "-Dlog4j2.configurationFile=$here/log4j2.xml" "-Dtelex.kafka.log=$broker/server.log" \
        kafka.Kafka "$broker/server.properties" </dev/null >>"$broker/console.log" 2>&1 &
    echo $! >"$broker/pid"
}

# Starts what does not run and waits until all are ready; fails where one of them ends.
start_all() {
    local broker before=() waiting=() until=$((SECONDS + START_SECONDS)) i
    for broker in "$dir"/broker-*; do
        pid_of "$broker" >/dev/null && continue
        before+=("$(started "$broker")")
        waiting+=("$broker")
        start "$broker"
    done
    for i in "${!waiting[@]}"; do
        until (($(started "${waiting[i]}") > before[i])); do
            kill -0 "$(cat "${waiting[i]}/pid")" 2>/dev/null || return 1
            ((SECONDS < until)) || die "not ready after $START_SECONDS s, see ${waiting[i]}/server.log"
            sleep 0.1
        done
    done
}

up() {
    need java openjdk-17-jre-headless
    resolve
    mkdir -p "$dir"
    dir=$(cd "$dir" && pwd)
    if [[ -f $dir/bootstrap ]]; then
        start_all || die "a broker ended, see $dir/broker-*/server.log and console.log"
    else
        local try
        for try in 1 2 3; do
            prepare
            start_all && break
            # Somebody may have taken a port since it was seen free.
            if ((try == 3)) || ! grep -qs "Address already in use" "$dir"/broker-*/*.log; then
                die "a broker ended, see $dir/broker-*/server.log and console.log"
            fi
            down
            rm -rf "$dir"/broker-* "$dir/bootstrap"
        done
    fi
    cat "$dir/bootstrap"
}

down() {
    local broker pid until=$((SECONDS + STOP_SECONDS))
    # All at once: the last of three would wait for the quorum that it has lost.
    for broker in "$dir"/broker-*; do
        ! pid=$(pid_of "$broker") || kill "$pid"
    done
    for broker in "$dir"/broker-*; do
        while pid=$(pid_of "$broker"); do
            if ((SECONDS >= until)); then
                echo "kafka.sh: broker $pid did not end in $STOP_SECONDS s and is killed" >&2
                kill -9 "$pid"
                until=$((SECONDS + STOP_SECONDS))
            fi
            sleep 0.1
        done
        rm -f "$broker/pid"
    done
}

status() {
    local broker pid found=1
    for broker in "$dir"/broker-*; do
        if pid=$(pid_of "$broker"); then
            echo "${broker##*/}: runs, pid $pid, log $broker/server.log"
            found=0
        elif [[ -d $broker ]]; then
            echo "${broker##*/}: stopped, log $broker/server.log"
        fi
    done
    if ((found == 0)); then cat "$dir/bootstrap"; else echo "no broker runs in $dir"; fi
    return "$found"
}

command=${1:-}
(($# == 0)) || shift
count=1
dir=$target/kafka
extra=()
users=()
secure=
while (($# > 0)); do
    if [[ $1 == --secure ]]; then
        secure=yes
        shift
        continue
    fi
    (($# > 1)) || die "$1 needs a value"
    case $1 in
    --brokers) count=$2 ;;
    --dir) dir=$2 ;;
    --set) extra+=("$2") ;;
    --user) users+=("$2") ;;
    *) usage >&2 && exit 2 ;;
    esac
    shift 2
done
[[ -n $secure || ${#users[@]} == 0 ]] || die "--user goes with --secure"
[[ $count == [13] ]] || die "--brokers is 1 or 3"
[[ ! -d $dir ]] || dir=$(cd "$dir" && pwd)

case $command in
up) up ;;
run)
    trap down EXIT
    up
    cat >/dev/null
    ;;
down) down ;;
status) status ;;
*) usage >&2 && exit 2 ;;
esac
