# llmstack's hook for zsh, written by `llmstack activate zsh`. Edits are lost.
# Nothing from a project is expanded or run here: what a project is called and says comes quoted
# from one command, which asks whether the user has allowed it.
#
# In a shell that `llmstack start` opened (active, but not by a hook) there is nothing to do.
if [[ -o interactive && ( ${LLMSTACK_ACTIVE-} != 1 || ${LLMSTACK_HOOKED-} == 1 ) ]]; then

export LLMSTACK_HOOK=zsh
typeset -ga _llmstack_command _llmstack_names
_llmstack_command=(@COMMAND@)
_llmstack_names=(OPENCODE_CONFIG LLMSTACK_WORK_DIR LLMSTACK_CHANNEL LLMSTACK_REMOTE_URL)

# Sets _llmstack_found to the nearest directory upwards that is a project, "/" excluded.
_llmstack_find() {
  emulate -L zsh
  typeset -g _llmstack_found=$PWD
  while [[ -n $_llmstack_found && $_llmstack_found != / ]]; do
    [[ -f $_llmstack_found/.llmstack/opencode.json ]] && return 0
    _llmstack_found=${_llmstack_found%/*}
  done
  _llmstack_found=
}

_llmstack_unwire() {
  emulate -L zsh
  [[ ${LLMSTACK_HOOKED-} == 1 ]] || return 0
  local name old
  for name in $_llmstack_names; do
    old=_LLMSTACK_OLD_$name
    if (( ${(P)+old} )); then export "$name=${(P)old}"; else unset $name; fi
    unset $old
  done
  PROMPT=${PROMPT#"${_LLMSTACK_PREFIX-}"}
  unset LLMSTACK_ACTIVE LLMSTACK_HOOKED _LLMSTACK_PREFIX
}

# Arguments: project, opencode.json, channel, URL or nothing, prompt prefix.
# What was there before is exported, so that a shell inside this one can leave the project too.
_llmstack_wire() {
  emulate -L zsh
  _llmstack_unwire
  local name
  for name in $_llmstack_names; do
    if (( ${(P)+name} )); then
      export "_LLMSTACK_OLD_$name=${(P)name}"
    else
      unset _LLMSTACK_OLD_$name
    fi
  done
  export LLMSTACK_ACTIVE=1 LLMSTACK_HOOKED=1
  export LLMSTACK_WORK_DIR="$1" OPENCODE_CONFIG="$2" LLMSTACK_CHANNEL="$3"
  if [[ -n $4 ]]; then export LLMSTACK_REMOTE_URL="$4"; fi
  export _LLMSTACK_PREFIX="$5"
  PROMPT=$_LLMSTACK_PREFIX$PROMPT
}

# Arguments: a file as old as what was looked at, and the directory of the allow-list.
_llmstack_seen() {
  typeset -g _llmstack_stamp=$1 _llmstack_trust=$2
}

# Says a text once for each project; no text forgets the last.
_llmstack_note() {
  emulate -L zsh
  local said=${1:+$_llmstack_root:$1}
  [[ -z $said || $said == "${_llmstack_noted-}" ]] || print -r -u2 -- "$1"
  typeset -g _llmstack_noted=$said
}

_llmstack_look() {
  emulate -L zsh
  local code
  _llmstack_unwire
  _llmstack_stamp=
  code=$("${_llmstack_command[@]}" hook zsh --root "$_llmstack_root" --shell-pid "$$")
  if [[ -n $code ]]; then eval "$code"; fi
}

# Before every prompt and after every cd. When nothing has changed this is a few tests by the
# shell itself.
_llmstack_hook() {
  emulate -L zsh
  local state=$_llmstack_root/.llmstack
  if [[ $PWD != "$_llmstack_pwd" ||
        ( $PWD != "$_llmstack_root" && -f $PWD/.llmstack/opencode.json ) ||
        ( -n $_llmstack_root && ! -f $state/opencode.json ) ]]; then
    _llmstack_pwd=$PWD
    _llmstack_find
    if [[ $_llmstack_found != "$_llmstack_root" ]]; then
      _llmstack_root=$_llmstack_found
      if [[ -n $_llmstack_root ]]; then _llmstack_look; else _llmstack_unwire; fi
      return 0
    fi
  fi
  if [[ -n $_llmstack_root && -n $_llmstack_stamp &&
        ( $state -nt $_llmstack_stamp || $state/opencode.json -nt $_llmstack_stamp ||
          $_llmstack_trust -nt $_llmstack_stamp ) ]]; then
    _llmstack_look
  elif [[ -n ${_LLMSTACK_PREFIX-} && $PROMPT != "$_LLMSTACK_PREFIX"* ]]; then
    PROMPT=$_LLMSTACK_PREFIX$PROMPT
  fi
}

if [[ ${_llmstack_loaded-} != "$$" ]]; then
  typeset -g _llmstack_loaded=$$ _llmstack_pwd= _llmstack_root= _llmstack_stamp= _llmstack_trust=
  _llmstack_unwire
fi
typeset -ga precmd_functions chpwd_functions
if (( ! ${precmd_functions[(I)_llmstack_hook]} )); then precmd_functions+=(_llmstack_hook); fi
if (( ! ${chpwd_functions[(I)_llmstack_hook]} )); then chpwd_functions+=(_llmstack_hook); fi

fi
