# shellcheck shell=bash
# runs.sh: a run's directory and processes, and their end.  Sourced by lib.sh.
#
# A run has one directory, modelreg.PID.START in $TMPDIR or /tmp: the number of
# its process, and when that started, in ticks since boot, as numbers are used
# again.  All its temporary files are below: TMPDIR is the directory tmp in there,
# and by this every process of the run is known, those included that left its
# process group and session.
#
# The run removes all that when it ends.  A keeper, in a session of its own, does
# so where the run was killed, or the make that started it; and each run first
# looks for what is left of runs whose keepers were killed as well.

# Print when process $1 started; fail if it has ended.
started() {
	local stat
	stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
	# The second field is a name in parentheses, with anything in it.
	read -ra stat <<<"${stat##*) }"
	[[ ${stat[0]} != [ZX] ]] && echo "${stat[19]}"
}

# Is the process $1, a PID.START, still there?
alive() {
	[ "$(started "${1%.*}")" = "${1#*.}" ]
}

# Print where runs have their directories, if user $1 may write there: in $TMPDIR,
# unless the path of a socket below would be longer than the 107 bytes that the
# kernel allows, else in /tmp.
runs_base() {
	local user=$1 base as=()
	[ "$(id -u)" -ne 0 ] || as=(setpriv "--reuid=$user" "--regid=$(id -g "$user")" --init-groups)
	for base in "${TMPDIR:-/tmp}" /tmp; do
		local longest=$base/modelreg.4194304.4294967295/tmp/1234567890/.s.PGSQL.65535
		if [ "$(printf %s "$longest" | wc -c)" -le 107 ] &&
			"${as[@]}" test -d "$base" -a -w "$base" -a -x "$base"; then
			realpath "$base"
			return
		fi
	done
	die "$user can write neither to \$TMPDIR nor to /tmp"
}

# Begin a run: make its directory, $work, and tell where its logs are kept.
new_run() {
	MODELREG_LOGS=$(runs_base "$(server_user)")
	export MODELREG_LOGS
	remove_dead_runs "$MODELREG_LOGS"
	work=$MODELREG_LOGS/modelreg.$$.$(started $$) || die "there is no /proc"
	rm -rf "$work" # of the same process before the machine was restarted
	mkdir -m 700 "$work"
	mkdir "$work/tmp"
	touch "$work/alive"
}

# Remove what dead runs left in directory $1, and logs of more than a week ago.
remove_dead_runs() {
	local dir ours owners
	owners=" $(id -un) $(server_user) "
	for dir in "$1"/modelreg*; do
		ours=$(stat -c ' %U ' "$dir" 2>/dev/null) && [[ -d $dir && ! -L $dir && $owners == *$ours* ]] ||
			continue
		if [[ $dir =~ /modelreg\.([0-9]+\.[0-9]+)$ ]]; then
			# Who shares this directory, but not our process numbers, a
			# container say, is known by what its keeper touches.
			if ! alive "${BASH_REMATCH[1]}" && [ -z "$(find "$dir/alive" -mmin -1 2>/dev/null)" ]; then
				end_processes "$dir" && rm -rf "$dir"
			fi
		elif [[ $dir =~ /modelreg-out\.[^/]*$ ]] && [ -n "$(find "$dir" -maxdepth 0 -mtime +7)" ]; then
			rm -rf "$dir"
		fi
	done
}

# Start the keeper of the run in $work: it ends the run when this process has ended,
# or the make that started it.
start_keeper() {
	local watched=("$$.$(started $$)")
	case $(cat "/proc/$PPID/comm" 2>/dev/null) in
		*make) watched+=("$PPID.$(started "$PPID")") ;;
	esac
	(setsid bash -c '. tools/lib.sh; cd /; keep_run "$@"' keeper "$work" "${watched[@]}" \
		</dev/null >/dev/null 2>&1 &)
}

# End the run in directory $1 when one of the other arguments, a PID.START each, has
# ended.
keep_run() {
	local dir=$1 process
	shift
	while touch -c "$dir/alive"; do
		for process in "$@"; do
			alive "$process" || break 2
		done
		sleep 1
	done
	end_processes "$dir"
	rm -rf "$dir"
}

# Set servers and others to the processes of the run in directory $1 but for this
# one: those of PostgreSQL, which overwrite their environment with their titles but
# work in their data directory, and all that have the run's TMPDIR.
find_processes() {
	local proc cwd
	servers=() others=()
	# exec: a mere fork of ours would look like one of them.
	while IFS= read -r proc; do
		proc=${proc//[^0-9]/}
		[ "$proc" = "$BASHPID" ] || others+=("$proc")
	done < <(TMPDIR='' exec grep -lsF -- "TMPDIR=$1/" /proc/[0-9]*/environ)
	while IFS= read -r proc && IFS= read -r cwd; do
		[[ $cwd != "$1"/* || $(cat "$proc/comm" 2>/dev/null) != postgres ]] ||
			servers+=("${proc//[^0-9]/}")
	done < <(TMPDIR='' exec find /proc -maxdepth 2 -path '/proc/[0-9]*/cwd' -printf '%h\n%l\n' 2>/dev/null)
}

# End the processes of the run in directory $1 but for this one; fail if any remain.
# PostgreSQL shuts down at once and lets go of its shared memory; what still runs
# after three seconds is killed.
end_processes() {
	local servers others start=$SECONDS stop=TERM shut_down=QUIT
	while find_processes "$1" && [ $((${#servers[@]} + ${#others[@]})) -gt 0 ]; do
		[ -z "$stop" ] || {
			kill -s "$shut_down" "${servers[@]}"
			kill -s "$stop" "${others[@]}"
		} 2>/dev/null || true
		stop=
		[ $((SECONDS - start)) -lt 3 ] || stop=KILL shut_down=KILL
		[ $((SECONDS - start)) -lt 8 ] || return 1
		sleep 0.1
	done
}
