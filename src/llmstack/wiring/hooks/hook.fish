# llmstack's hook for fish 3.1 and later, written by `llmstack activate fish`. Edits are lost.
# Nothing from a project is expanded or run here: what a project is called and says comes quoted
# from one command, which asks whether the user has allowed it.
#
# In a shell that `llmstack start` opened (active, but not by a hook) there is nothing to do.
if status is-interactive; and begin; test "$LLMSTACK_ACTIVE" != 1; or test "$LLMSTACK_HOOKED" = 1; end

set -gx LLMSTACK_HOOK fish
set -g _llmstack_command @COMMAND@
set -g _llmstack_names OPENCODE_CONFIG LLMSTACK_WORK_DIR LLMSTACK_CHANNEL LLMSTACK_REMOTE_URL

# Sets _llmstack_found to the nearest directory upwards that is a project, "/" excluded.
function _llmstack_find
    set -g _llmstack_found $PWD
    while test -n "$_llmstack_found"; and test "$_llmstack_found" != /
        test -f "$_llmstack_found/.llmstack/opencode.json"; and return 0
        set -l base (string replace -r '/[^/]*\z' '' -- "$_llmstack_found" | string collect)
        set _llmstack_found "$base"
    end
    set -g _llmstack_found ""
end

function _llmstack_unwire
    test "$LLMSTACK_HOOKED" = 1; or return 0
    for name in $_llmstack_names
        set -l old _LLMSTACK_OLD_$name
        set -e -g $name
        if set -q $old
            set -gx $name $$old
        end
        set -e -g $old
    end
    set -e -g LLMSTACK_ACTIVE
    set -e -g LLMSTACK_HOOKED
    set -e -g _LLMSTACK_PREFIX
    # Only if the prompt is still ours: the user may have chosen another one meanwhile.
    if functions -q _llmstack_prompt
        if string match -q '*_LLMSTACK_PREFIX*' -- (functions fish_prompt | string collect)
            functions -e fish_prompt
            functions -c _llmstack_prompt fish_prompt
        end
        functions -e _llmstack_prompt
    end
end

# Arguments: project, opencode.json, channel, URL or nothing, prompt prefix.
# What was there before is exported, so that a shell inside this one can leave the project too.
function _llmstack_wire
    _llmstack_unwire
    for name in $_llmstack_names
        set -e -g _LLMSTACK_OLD_$name
        if set -q -g $name
            set -gx _LLMSTACK_OLD_$name $$name
        end
    end
    set -gx LLMSTACK_ACTIVE 1
    set -gx LLMSTACK_HOOKED 1
    set -gx LLMSTACK_WORK_DIR $argv[1]
    set -gx OPENCODE_CONFIG $argv[2]
    set -gx LLMSTACK_CHANNEL $argv[3]
    if test -n "$argv[4]"
        set -gx LLMSTACK_REMOTE_URL $argv[4]
    end
    set -gx _LLMSTACK_PREFIX $argv[5]
    _llmstack_wrap
end

# Puts the prefix in front of the prompt that there is.
function _llmstack_wrap
    functions -q fish_prompt; or return 0
    string match -q '*_LLMSTACK_PREFIX*' -- (functions fish_prompt | string collect); and return 0
    functions -e _llmstack_prompt
    functions -c fish_prompt _llmstack_prompt
    function fish_prompt
        set -l last $status
        printf '%s' $_LLMSTACK_PREFIX
        _llmstack_status $last
        _llmstack_prompt $argv
    end
end

function _llmstack_status
    return $argv[1]
end

# Arguments: a file as old as what was looked at, and the directory of the allow-list.
function _llmstack_seen
    set -g _llmstack_stamp $argv[1]
    set -g _llmstack_trust $argv[2]
end

# Says a text once for each project; no text forgets the last.
function _llmstack_note
    set -l said ""
    test -n "$argv[1]"; and set said "$_llmstack_root:$argv[1]"
    test -n "$said"; and test "$said" != "$_llmstack_noted"; and printf '%s\n' $argv[1] >&2
    set -g _llmstack_noted "$said"
end

function _llmstack_look
    _llmstack_unwire
    set -g _llmstack_stamp ""
    $_llmstack_command hook fish --root "$_llmstack_root" --shell-pid $fish_pid | source
end

# Before every prompt and after every cd. When nothing has changed this is a few tests by the
# shell itself.
function _llmstack_hook --on-event fish_prompt --on-variable PWD
    set -l state "$_llmstack_root/.llmstack"
    set -l moved 0
    if test "$PWD" != "$_llmstack_pwd"
        set moved 1
    else if test "$PWD" != "$_llmstack_root"; and test -f "$PWD/.llmstack/opencode.json"
        set moved 1
    else if test -n "$_llmstack_root"; and not test -f "$state/opencode.json"
        set moved 1
    end
    if test $moved = 1
        set -g _llmstack_pwd $PWD
        _llmstack_find
        if test "$_llmstack_found" != "$_llmstack_root"
            set -g _llmstack_root "$_llmstack_found"
            if test -n "$_llmstack_root"
                _llmstack_look
            else
                _llmstack_unwire
            end
            return 0
        end
    end
    if test -n "$_llmstack_root"; and test -n "$_llmstack_stamp"
        if test "$state" -nt "$_llmstack_stamp"; or test "$state/opencode.json" -nt "$_llmstack_stamp"; or test "$_llmstack_trust" -nt "$_llmstack_stamp"
            _llmstack_look
            return 0
        end
    end
    # A theme that was chosen meanwhile may have replaced the prompt.
    set -q _LLMSTACK_PREFIX; and _llmstack_wrap
    return 0
end

if test "$_llmstack_loaded" != $fish_pid
    set -g _llmstack_loaded $fish_pid
    set -g _llmstack_pwd ""
    set -g _llmstack_root ""
    set -g _llmstack_stamp ""
    set -g _llmstack_trust ""
    _llmstack_unwire
end

end
