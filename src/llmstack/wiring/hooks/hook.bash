# llmstack's hook for bash, written by `llmstack activate bash`. Edits are lost.
# Works with bash 3.2 and later. Nothing from a project is expanded or run here: what a project is
# called and says comes quoted from one command, which asks whether the user has allowed it.
#
# In a shell that `llmstack start` opened (active, but not by a hook) there is nothing to do.
if [[ $- == *i* && ( ${LLMSTACK_ACTIVE-} != 1 || ${LLMSTACK_HOOKED-} == 1 ) ]]; then

export LLMSTACK_HOOK=bash
_llmstack_command=(@COMMAND@)
_llmstack_names=(OPENCODE_CONFIG LLMSTACK_WORK_DIR LLMSTACK_CHANNEL LLMSTACK_REMOTE_URL)

# Sets _llmstack_found to the nearest directory upwards that is a project, "/" excluded.
_llmstack_find() {
  _llmstack_found=$PWD
  while [[ -n $_llmstack_found && $_llmstack_found != / ]]; do
    [[ -f $_llmstack_found/.llmstack/opencode.json ]] && return 0
    _llmstack_found=${_llmstack_found%/*}
  done
  _llmstack_found=
}

_llmstack_unwire() {
  [[ ${LLMSTACK_HOOKED-} == 1 ]] || return 0
  local name old
  for name in "${_llmstack_names[@]}"; do
    old=_LLMSTACK_OLD_$name
    if [[ -n ${!old+set} ]]; then export "$name=${!old}"; else unset "$name"; fi
    unset "$old"
  done
  PS1=${PS1-}
  PS1=${PS1#"${_LLMSTACK_PREFIX-}"}
  unset LLMSTACK_ACTIVE LLMSTACK_HOOKED _LLMSTACK_PREFIX
}

# Arguments: project, opencode.json, channel, URL or nothing, prompt prefix.
# What was there before is exported, so that a shell inside this one can leave the project too.
_llmstack_wire() {
  _llmstack_unwire
  local name
  for name in "${_llmstack_names[@]}"; do
    if [[ -n ${!name+set} ]]; then
      export "_LLMSTACK_OLD_$name=${!name}"
    else
      unset "_LLMSTACK_OLD_$name"
    fi
  done
  export LLMSTACK_ACTIVE=1 LLMSTACK_HOOKED=1
  export LLMSTACK_WORK_DIR="$1" OPENCODE_CONFIG="$2" LLMSTACK_CHANNEL="$3"
  if [[ -n $4 ]]; then export LLMSTACK_REMOTE_URL="$4"; fi
  export _LLMSTACK_PREFIX="$5"
  PS1=$_LLMSTACK_PREFIX${PS1-}
}

# Arguments: a file as old as what was looked at, and the directory of the allow-list.
_llmstack_seen() {
  _llmstack_stamp=$1
  _llmstack_trust=$2
}

# Says a text once for each project; no text forgets the last.
_llmstack_note() {
  local said=${1:+$_llmstack_root:$1}
  [[ -z $said || $said == "${_llmstack_noted-}" ]] || printf '%s\n' "$1" >&2
  _llmstack_noted=$said
}

_llmstack_look() {
  local code
  _llmstack_unwire
  _llmstack_stamp=
  code=$("${_llmstack_command[@]}" hook bash --root "$_llmstack_root" --shell-pid "$$")
  if [[ -n $code ]]; then eval "$code"; fi
}

# Before every prompt. When nothing has changed this is a few tests by the shell itself.
_llmstack_hook() {
  local last=$?
  local state=$_llmstack_root/.llmstack
  if [[ $PWD != "$_llmstack_pwd" ||
        ( $PWD != "$_llmstack_root" && -f $PWD/.llmstack/opencode.json ) ||
        ( -n $_llmstack_root && ! -f $state/opencode.json ) ]]; then
    _llmstack_pwd=$PWD
    _llmstack_find
    if [[ $_llmstack_found != "$_llmstack_root" ]]; then
      _llmstack_root=$_llmstack_found
      if [[ -n $_llmstack_root ]]; then _llmstack_look; else _llmstack_unwire; fi
      return "$last"
    fi
  fi
  if [[ -n $_llmstack_root && -n $_llmstack_stamp &&
        ( $state -nt $_llmstack_stamp || $state/opencode.json -nt $_llmstack_stamp ||
          $_llmstack_trust -nt $_llmstack_stamp ) ]]; then
    _llmstack_look
  elif [[ -n ${_LLMSTACK_PREFIX-} && ${PS1-} != "$_LLMSTACK_PREFIX"* ]]; then
    PS1=$_LLMSTACK_PREFIX${PS1-}
  fi
  return "$last"
}

if [[ ${_llmstack_loaded-} != "$$" ]]; then
  _llmstack_loaded=$$ _llmstack_pwd= _llmstack_root= _llmstack_stamp= _llmstack_trust=
  _llmstack_unwire
fi
if [[ "${PROMPT_COMMAND[*]-}" != *_llmstack_hook* ]]; then
  if (( BASH_VERSINFO[0] > 5 || ( BASH_VERSINFO[0] == 5 && BASH_VERSINFO[1] >= 1 ) )) &&
     [[ "$(declare -p PROMPT_COMMAND 2>/dev/null)" == "declare -a"* ]]; then
    PROMPT_COMMAND+=(_llmstack_hook)
  else
    PROMPT_COMMAND=${PROMPT_COMMAND:+$PROMPT_COMMAND$'\n'}_llmstack_hook
  fi
fi

fi
