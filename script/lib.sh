# shellcheck shell=bash
# What the scripts share: a Python, virtual environments, system packages.
# To be sourced with `set -euo pipefail`; leaves the caller in the root of the checkout.

cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_QUIET=1
missing_packages=()

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# --- system packages ----------------------------------------------------------------------

# need_command COMMAND PACKAGE: PACKAGE is wanted unless COMMAND is there, from wherever it came.
need_command() { command -v "$1" >/dev/null || missing_packages+=("$2"); }

# need_library FILE PACKAGE: the same for a shared library.
need_library() {
    local known
    known=$(/sbin/ldconfig -p 2>/dev/null || true)
    [[ $known == *"$1"* ]] || missing_packages+=("$2")
}

# need_file PATH PACKAGE: the same for any file.
need_file() { [[ -e $1 ]] || missing_packages+=("$2"); }

apt_install() {
    DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
        apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 "$@" >&2 </dev/null
}

# Installs what the need_ functions found missing. Where it cannot, it names it and goes on.
install_missing_packages() {
    ((${#missing_packages[@]})) || return 0
    local packages=("${missing_packages[@]}")
    missing_packages=()
    if ! command -v apt-get >/dev/null; then
        say "not installed, and no apt-get here; Debian calls the packages: ${packages[*]}"
    elif ((EUID != 0)); then
        say "not installed; as root run: apt-get install ${packages[*]}"
    else
        say "installing ${packages[*]}"
        # the package lists of a fresh machine are empty or old
        apt_install "${packages[@]}" 2>/dev/null && return
        apt-get update -qq >&2 </dev/null || true
        apt_install "${packages[@]}" || say "could not install: ${packages[*]}"
    fi
}

# --- Python -------------------------------------------------------------------------------

python_fits() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

# The newest one that is known by name; plain python3 may be newer still.
find_python() {
    local candidate
    for candidate in ${HIVE_PYTHON:-python3.14 python3.13 python3.12 python3.11 python3}; do
        if command -v "$candidate" >/dev/null && python_fits "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

# The Python to build environments with, in $python.
require_python() {
    if ! python=$(find_python); then
        [[ -n ${HIVE_PYTHON:-} ]] || missing_packages+=(python3)
        install_missing_packages
        if ! python=$(find_python); then
            say "no Python 3.11 or newer found; name one in HIVE_PYTHON"
            exit 1
        fi
    fi
    # Debian keeps what makes environments in a package of its own
    if ! "$python" -c 'import ensurepip' 2>/dev/null; then
        missing_packages+=("$(python_package)-venv")
        install_missing_packages
    fi
}

# python3.11, as Debian names its packages.
python_package() {
    "$python" -c 'import sys; print("python{}.{}".format(*sys.version_info))'
}

# environment DIRECTORY STAMP FINGERPRINT PIP_ARGUMENTS...
# Makes the virtual environment DIRECTORY and installs into it, unless the file STAMP in it
# says that this was done.
environment() {
    local directory=$1 stamp=$1/.$2 fingerprint=$3
    shift 3
    if is_current "$directory" "$stamp" "$fingerprint"; then
        return
    fi
    require_python
    say "preparing $directory"
    if ! "$directory/bin/python" -c '' 2>/dev/null; then
        "$python" -m venv --clear "$directory" || return
    fi
    "$directory/bin/python" -m pip install "$@" || return
    printf '%s\n' "$fingerprint" >"$stamp"
}

is_current() {
    [[ -e $2 && $(<"$2") == "$3" ]] && "$1/bin/python" -c '' 2>/dev/null
}

# A moved checkout needs new environments as well: they know their place.
project_fingerprint() { { cat pyproject.toml; pwd; } | sha256sum; }

# project_environment [EXTRA]: .venv with the project, editable, and with what an extra of pyproject.toml
# adds: `dev` for tests, `docs` for the documents. All extras share the one environment.
project_environment() {
    local fingerprint extra=${1:-}
    fingerprint=$(project_fingerprint)
    if [[ -n $extra ]]; then
        environment .venv "ready-$extra" "$fingerprint" -e ".[$extra]" || return
    elif ! is_current .venv .venv/.ready-dev "$fingerprint"; then
        environment .venv ready "$fingerprint" -e . || return
    fi
}

# tool_environment DIRECTORY REQUIREMENT: a program of others in an environment of its own.
tool_environment() {
    environment "$1" ready "$2 $PWD" "$2" || say "$2 could not be installed in $1; going on without"
}

# Two scripts started at once prepare one after the other. The lock ends with the subshell.
alone() {
    (
        flock 9
        "$@" 9<&-
    ) 9<.
}
