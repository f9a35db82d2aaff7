# shellcheck shell=bash
# lib.sh: what the scripts in tools/ share.  Sourced, never run.
#
# Every script that starts a server works the same way: it copies the tree to a
# work directory (enter_copy), goes on there as a user whom PostgreSQL accepts,
# builds and stages the extension (build), and starts a cluster that finds it in
# the staging directory (cluster_init).  Nothing is installed into the system,
# no existing cluster is touched, and the tree itself stays unchanged.  The work
# directory and all that runs below it end with the run: see runs.sh.

. tools/runs.sh

die() {
	echo "$(basename "$0"): $*" >&2
	exit 1
}

# Set PG_CONFIG (absolute), PG_BINDIR and PG_MAJOR, or fail.
find_postgres() {
	PG_CONFIG=$(command -v "${PG_CONFIG:-pg_config}") ||
		die "no pg_config found (as root: make setup, or give PG_CONFIG)"
	PG_BINDIR=$("$PG_CONFIG" --bindir)
	[ -x "$PG_BINDIR/initdb" ] ||
		die "$PG_CONFIG belongs to no server: $PG_BINDIR/initdb is missing"
	PG_MAJOR=$("$PG_CONFIG" --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/')
	export PG_CONFIG PG_BINDIR PG_MAJOR
}

# What the demo imports, and what the tests and benchmarks import besides.
DEMO_MODULES='psycopg sklearn'
TEST_MODULES="$DEMO_MODULES flask hatchling joblib mlflow mypy onnx pandas psycopg_pool pytest pytest_asyncio ruff safetensors skops tqdm"

# Print the path of a Python that has these modules, or fail.  Root's own python3
# may be one that the server's user cannot read.
find_python_with() {
	local python candidates=("${MODELREG_PYTHON:-}" /usr/bin/python3
		"${MODELREG_VENV:-.venv}/bin/python")
	[ "$(id -u)" -eq 0 ] || candidates+=("$(command -v python3)")
	for python in "${candidates[@]}"; do
		if [ -n "$python" ] && "$python" - "$@" 2>/dev/null <<-'PYTHON'; then
			import importlib.util
			import sys
			sys.exit(not all(map(importlib.util.find_spec, sys.argv[1:])))
		PYTHON
			realpath -s "$python"
			return
		fi
	done
	return 1
}

# The one for the tests if there is one, else the one for the demo.
find_python() {
	# shellcheck disable=SC2086
	find_python_with $TEST_MODULES || find_python_with $DEMO_MODULES
}

# Install the Python client in $1 into directory $2, as pip does for users, where
# the Python in use can build it: what imports modelreg, MLflow included, and the
# command modelreg are then found there.
stage_client() {
	local src=$1 stage=$2
	[ -d "$src" ] && [ -n "$MODELREG_PYTHON" ] &&
		"$MODELREG_PYTHON" -c 'import hatchling' 2>/dev/null || return 0
	"$MODELREG_PYTHON" -m pip install -q --disable-pip-version-check --no-cache-dir \
		--no-deps --no-build-isolation --no-warn-script-location --target "$stage" "$src"
	export PYTHONPATH=$stage PATH=$stage/bin:$PATH
}

# Who runs the servers: PostgreSQL refuses root.
server_user() {
	if [ "$(id -u)" -ne 0 ]; then
		id -un
	elif id postgres >/dev/null 2>&1; then
		echo postgres
	else
		echo nobody
	fi
}

# Copy the tree (what git knows and what it does not ignore; all of it where
# there is no git) into directory $1.  Times are kept, for make.
copy_tree() {
	local list=(git -c 'safe.directory=*' ls-files -coz --exclude-standard)
	mkdir -p "$1"
	if "${list[@]}" >/dev/null 2>&1; then
		# A file deleted but not yet committed is still listed.
		"${list[@]}" | while IFS= read -r -d '' path; do
			[ ! -e "$path" ] || printf '%s\0' "$path"
		done | tar --null -T - -cf -
	else
		tar --exclude=./.git --exclude=./.venv --exclude=./.venv-lint --exclude='*.o' \
			--exclude='*.so' --exclude='*.bc' --exclude='__pycache__' -cf - .
	fi | tar -C "$1" -xf -
}

# Copy directory $2 to $3 for user $1: with links to its files, of which there may be
# a gigabyte, where the user may read them and the file system is the same.  Times are
# kept: Python compiles anew what is younger.
copy_for() {
	if [ -z "$(find "$2" ! -type l ! -perm -o=r -print -quit)" ] && cp -rl "$2" "$3" 2>/dev/null; then
		find "$3" -type d -exec chown "$1:" {} +
	else
		rm -rf "$3"
		cp -r --preserve=links,mode,timestamps "$2" "$3"
		chown -R "$1:" "$3"
	fi
}

# Go on in a copy of the tree at $1/src as the server's user: run the script
# that called, with the remaining arguments, from there.  The second pass
# through here, in the copy, returns.
enter_copy() {
	local work=$1 user venv lint_venv name as=()
	shift
	[ -z "${MODELREG_WORK:-}" ] || return 0
	mkdir -p "$work/tmp"
	copy_tree "$work/src"
	lint_venv=${MODELREG_LINT_VENV:-.venv-lint}
	# for the lint suite
	if [ "$(basename "$0")" = with-build ] && [ -d "$lint_venv" ]; then
		cp -r --preserve=links,mode "$lint_venv" "$work/src/.venv-lint"
	fi
	MODELREG_PYTHON=$(find_python) || MODELREG_PYTHON=
	if [ "$(id -u)" -eq 0 ]; then
		user=$(server_user)
		as=(setpriv "--reuid=$user" "--regid=$(id -g "$user")" --init-groups)
		chown -R "$user:" "$work"
		# A virtual environment below a private directory has to be copied.
		if [ -n "$MODELREG_PYTHON" ] &&
			! "${as[@]}" "$MODELREG_PYTHON" -c 'import psycopg' 2>/dev/null; then
			venv=$(dirname "$(dirname "$MODELREG_PYTHON")")
			[ -d "$work/venv" ] || copy_for "$user" "$venv" "$work/venv"
			MODELREG_PYTHON=$work/venv/bin/python
		fi
	fi
	# Settings of the caller's own PostgreSQL, make and Python must not leak in.
	for name in ${!PG@} ${!MAKE@} ${!PYTHON@} ${!PERL@} MFLAGS LANGUAGE; do
		case $name in
			PG_CONFIG | PG_CONFIGS | MAKE) ;;
			*) unset "$name" ;;
		esac
	done
	export MODELREG_WORK=$work MODELREG_PYTHON HOME=$work TMPDIR=$work/tmp LC_ALL=C.UTF-8
	cd "$work/src" || return
	exec "${as[@]}" "tools/$(basename "$0")" "$@"
}

# Build the tree in $1 and stage an installation in $2, for PG_CONFIG; with
# MODELREG_RELEASE set as users build it, else with assertions, and without the
# bitcode for inlining, which takes as long as all the rest.  The file
# modelreg.conf made there holds the settings by which a server finds the
# staged extension.
build() {
	local src=$1 stage=$2 flags=(PG_CONFIG="$PG_CONFIG")
	[ -n "${MODELREG_RELEASE:-}" ] || flags+=(WERROR=1 ASSERT=1 with_llvm=no)
	make -s -C "$src" -j2 "${flags[@]}" all
	rm -rf "$stage"
	make -s -C "$src" "${flags[@]}" install DESTDIR="$stage" >/dev/null
	{
		if "$PG_BINDIR/postgres" --describe-config |
			grep '^extension_destdir' >/dev/null; then
			# Debian's patch; it covers $libdir too, but no bare library names.
			echo "extension_destdir = '$stage'"
			echo "session_preload_libraries = '\$libdir/modelreg'"
		elif [ "$PG_MAJOR" -ge 18 ]; then
			echo "extension_control_path = '$stage$("$PG_CONFIG" --sharedir):\$system'"
			echo "dynamic_library_path = '$stage$("$PG_CONFIG" --pkglibdir):\$libdir'"
			echo "session_preload_libraries = 'modelreg'"
		else
			die "this PostgreSQL $PG_MAJOR can only use an installed extension" \
				"(it has neither extension_destdir nor extension_control_path)"
		fi
	} >"$stage/modelreg.conf"
}

# Create a cluster in $1 that uses the extension staged in $2.  It is not started
# before cluster_place was called for it, or for a copy.
cluster_init() {
	local data=$1 stage=$2
	"$PG_BINDIR/initdb" -D "$data" -U postgres -A trust --no-locale \
		--encoding=UTF8 --no-sync >/dev/null
	cat >>"$data/postgresql.conf" <<-CONF
		listen_addresses = ''
		unix_socket_permissions = 0700
		log_line_prefix = '%m [%p] %q%a '
		shared_preload_libraries = 'pg_cron'
		include '$stage/modelreg.conf'
	CONF
}

# Have the cluster in $1 listen on a socket in $2 alone, and pg_cron work in its
# database $3.
cluster_place() {
	local data=$1 sockets=$2 cron_database=$3
	mkdir -p "$sockets"
	cat >>"$data/postgresql.conf" <<-CONF
		unix_socket_directories = '$sockets'
		cron.database_name = '$cron_database'
		cron.host = '$sockets'
	CONF
}

# Run a command as a process group of its own, and wait; stop_group, for an EXIT
# trap, ends all of it and gives it some seconds to tidy up.
child=
run_in_group() {
	local status=0
	set -m
	"$@" </dev/null &
	child=$!
	set +m
	wait "$child" || status=$?
	child=
	return "$status"
}

stop_group() {
	[ -n "$child" ] || return 0
	kill -TERM -- "-$child" 2>/dev/null || true
	for _ in $(seq 50); do
		kill -0 -- "-$child" 2>/dev/null || return 0
		sleep 0.1
	done
	kill -KILL -- "-$child" 2>/dev/null || true
}
