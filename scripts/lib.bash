# lib.bash - what up, down, test and bench share. Sourced, with the repository as the
# current folder.
# shellcheck shell=bash disable=SC2034

say() { printf '%s %s\n' "$(date +%H:%M:%S)" "$*"; }
fail() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

# Print the comment at the top of the script that is running.
print_help() { sed -n '2,/^[^#]/{/^#/{s/^# \{0,1\}//;p}}' "$0"; }

# Run the script again as root. The settings in the environment come along.
become_root() {
	[[ $(id -u) != 0 ]] || return 0
	command -v sudo >/dev/null || fail "this needs root, and there is no sudo"
	exec sudo --preserve-env "$0" "$@"
}

# ---- packages -----------------------------------------------------------------------------

BUILD_PACKAGES=(autoconf automake gcc libc6-dev make pkg-config
	libcap-dev libelf-dev libfcgi-dev libjson-c-dev libseccomp-dev python3-dev)
RUN_PACKAGES=(curl python3 nginx passwd util-linux
	file gawk less sqlite3 tzdata unzip)
TEST_PACKAGES=(libcmocka-dev python3-pip python3-venv clang-format cppcheck git)
LIBRARIES=(fcgi json-c libcap libelf libseccomp python3-embed cmocka) # as pkg-config calls them

package_installed() {
	[[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# Install what is missing of the named packages; says nothing and does nothing where
# all are there.
need_packages() {
	local package missing=()
	if ! command -v dpkg-query >/dev/null; then
		say "this is not Debian: install the equivalents of these by hand: $*"
		return
	fi
	for package in "$@"; do
		package_installed "$package" || missing+=("$package")
	done
	[[ ${#missing[@]} -gt 0 ]] || return 0
	say "installing ${missing[*]}"
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq || fail "apt-get update failed"
	case " ${missing[*]} " in
	*" nginx "*) install_without_starting "${missing[@]}" ;;
	*) apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ;;
	esac || fail "apt-get could not install ${missing[*]}"
}

# Debian starts a server as soon as it is installed, and at every boot. We only want
# nginx's program; a system that had no nginx must not get one listening on port 80.
install_without_starting() {
	local policy=/usr/sbin/policy-rc.d ours=no status=0
	if [[ ! -e $policy ]]; then
		ours=yes
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod 755 "$policy"
	fi
	apt-get install -y -qq --no-install-recommends "$@" >/dev/null || status=$?
	[[ $ours == no ]] || rm -f "$policy"
	deb-systemd-helper disable nginx.service >/dev/null 2>&1 || true
	update-rc.d nginx disable >/dev/null 2>&1 || true
	return "$status"
}

need_user() {
	id -u "$1" >/dev/null 2>&1 && return
	say "making the system user $1, for fcgi-app"
	useradd --system --user-group --no-create-home --home-dir /nonexistent \
		--shell /usr/sbin/nologin "$1"
}

# ---- building -----------------------------------------------------------------------------

# Under sudo the tree stays its owner's: what writes in it runs as that user.
tree_owner() { stat -c %U .; }

as_tree_owner() { # a function of this file, or a command, with its arguments
	local owner
	owner=$(tree_owner)
	if [[ $(id -u) != 0 || $owner == root || $owner == UNKNOWN ]]; then
		"$@"
	else
		runuser -u "$owner" -- bash -c 'source scripts/lib.bash; "$@"' "$0" "$@"
	fi
}

# What tests that need root have left in a build folder.
give_to_tree_owner() {
	local owner
	owner=$(tree_owner)
	[[ $(id -u) != 0 || $owner == root || $owner == UNKNOWN || ! -d $1 ]] ||
		find "$1" -xdev ! -user "$owner" -exec chown -h "$owner:" {} +
}

# build FOLDER [configure's options]: build there; all output goes to FOLDER/build.log, and
# its end to the terminal if the build fails. VIVARIUM_CONFIGURE holds further options.
build() {
	give_to_tree_owner "$1" # left by an earlier version, which built as root
	as_tree_owner build_as_we_are "$@"
}

build_as_we_are() {
	local folder=$1 lock status=0
	shift
	mkdir -p "$folder"
	exec {lock}>"$folder/.lock"
	flock "$lock" # two scripts at once take turns
	build_steps "$folder" "$@" >"$folder/build.log" 2>&1 || status=$?
	exec {lock}>&-
	[[ $status != 0 ]] || return 0
	tail -n 30 "$folder/build.log" >&2
	echo "${0##*/}: the build failed; all of its output is in $folder/build.log" >&2
	return 1
}

pkg_config() { env -u PKG_CONFIG_PATH -u PKG_CONFIG_LIBDIR /usr/bin/pkg-config "$@"; }

build_steps() {
	local folder=$1 further libraries
	shift
	read -ra further <<<"${VIVARIUM_CONFIGURE:-}"
	if [[ ! -x configure || ! -e Makefile.in || configure.ac -nt configure ]]; then
		autoreconf -fi || return
	fi
	# Configured again when a library has come, gone or changed since: cmocka, above all,
	# which scripts/up does not need and scripts/test does.
	libraries=$(pkg_config --modversion "${LIBRARIES[@]}" 2>&1 || true)
	# pkg-config and the Python it names are the system's, whatever comes first on PATH.
	if [[ ! -e $folder/Makefile || $libraries != "$(cat "$folder/libraries" 2>/dev/null)" ]]; then
		(cd "$folder" && env -u PKG_CONFIG_PATH -u PKG_CONFIG_LIBDIR \
			PKG_CONFIG=/usr/bin/pkg-config "$OLDPWD/configure" -q "$@" "${further[@]}") || return
		echo "$libraries" >"$folder/libraries"
	fi
	make -C "$folder" -j"$(nproc)"
}

# ---- processes ----------------------------------------------------------------------------

# A pid file (scripts/supervise writes them) begins with the pid and the time at which that
# process started, in clock ticks since boot: a pid that was given to another process in the
# meantime is not ours.
start_time() {
	local stat fields
	{ stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
	read -ra fields <<<"${stat##*) }"
	echo "${fields[19]}"
}

# Print the pid in this file if its process still lives (a zombie does not).
living_pid() {
	local pid started _ stat
	{ read -r pid started _ <"$1"; } 2>/dev/null || return 1
	[[ -n $started && $(start_time "$pid") == "$started" ]] || return 1
	{ stat=$(<"/proc/$pid/stat"); } 2>/dev/null || return 1
	[[ ${stat##*) } != Z* ]] || return 1
	echo "$pid"
}

# wait_gone SECONDS PIDFILE: has the process ended within that time?
wait_gone() {
	local deadline=$((SECONDS + $1))
	while living_pid "$2" >/dev/null; do
		((SECONDS < deadline)) || return 1
		sleep 0.1
	done
}

# Processes that a supervisor of this state folder has started: their program lies in it, or
# their standard error is a log in it. Also those that no pid file names any more.
processes_of() {
	local process
	for process in /proc/[0-9]*; do
		case $(readlink "$process/exe" "$process/fd/2" 2>/dev/null | tr '\n' ' ') in
		"$1"/*-[12]/* | "$1"/bin/* | *" $1/log/"*) echo "${process#/proc/}" ;;
		esac
	done
}

# ---- the service ----------------------------------------------------------------------------

# Can other users get to this folder? (Workers and the application run as other users.)
reachable_by_others() {
	local folder=$1
	while [[ ! -e $folder ]]; do folder=$(dirname "$folder"); done
	while [[ $folder != / ]]; do
		(($(stat -c '0%a' "$folder") & 1)) || return 1
		folder=$(dirname "$folder")
	done
}

# Could anybody but root put another file or folder in the place of this one? Prints who
# could. (In a folder with the sticky bit, such as /tmp, one can only move what is one's own.)
unsafe_because() {
	local folder mode target
	target=$(realpath -m "$1")
	folder=$target
	while [[ ! -e $folder ]]; do folder=$(dirname "$folder"); done
	while true; do
		mode=0$(stat -c %a "$folder")
		if [[ $(stat -c %u "$folder") != 0 ]]; then
			echo "$folder belongs to $(stat -c %U "$folder")"
			return
		fi
		if ((mode & 022)) && { [[ $folder == "$target" ]] || ((!(mode & 01000))); }; then
			echo "others than root may write in $folder (its mode is ${mode#0})"
			return
		fi
		[[ $folder != / ]] || return 0
		folder=$(dirname "$folder")
	done
}

# Where the state goes if nobody says otherwise. /run would be the place for it, were it
# not mounted noexec: the programs are kept there too.
default_state_dir() {
	if reachable_by_others "$PWD/build" && [[ -z $(unsafe_because "$PWD/build/run") ]]; then
		echo "$PWD/build/run"
	else
		echo "/var/lib/vivarium-${PORT:-5000}"
	fi
}

# One script at a time works on a state folder. The lock ends with the script; whatever it
# starts and leaves must be started with {state_lock}>&-.
lock_state() {
	exec {state_lock}>>"$1/lock"
	flock -n "$state_lock" && return
	say "waiting: another scripts/up or scripts/down works on $1"
	flock -w 300 "$state_lock" || fail "it has worked on $1 for five minutes; look at the process with: fuser $1/lock"
}

# http_get ADDRESS PORT PATH: print the answer, head and body.
http_get() {
	local connection
	{ exec {connection}<>"/dev/tcp/$1/$2"; } 2>/dev/null || return 1
	printf 'GET %s HTTP/1.0\r\n\r\n' "$3" >&"$connection"
	timeout 5 cat <&"$connection" || true
	exec {connection}>&-
}

free_port() {
	/usr/bin/python3 -I -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
