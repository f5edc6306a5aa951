# llmstack's hook for PowerShell, written by `llmstack activate powershell`. Edits are lost.
# Works with Windows PowerShell 5.1 and with PowerShell 7. Nothing from a project is expanded or run
# here: what a project is called and says comes quoted from one command, which asks whether the
# user has allowed it.
#
# In a shell that `llmstack start` opened (active, but not by a hook) there is nothing to do.
if ($env:LLMSTACK_ACTIVE -ne '1' -or $env:LLMSTACK_HOOKED -eq '1') {

$env:LLMSTACK_HOOK = 'powershell'
$global:_LlmstackCommand = @(@COMMAND@)
$global:_LlmstackNames = @('OPENCODE_CONFIG', 'LLMSTACK_WORK_DIR', 'LLMSTACK_CHANNEL', 'LLMSTACK_REMOTE_URL')

# The nearest directory upwards that is a project, the root of the drive excluded; else ''.
function global:_LlmstackFind {
    if ($PWD.Provider.Name -ne 'FileSystem') { return '' }
    $folder = $PWD.ProviderPath
    while ($folder) {
        $parent = [System.IO.Path]::GetDirectoryName($folder)
        if (-not $parent) { return '' }
        $file = [System.IO.Path]::Combine($folder, '.llmstack', 'opencode.json')
        if ([System.IO.File]::Exists($file)) { return $folder }
        $folder = $parent
    }
    return ''
}

function global:_LlmstackSet([string] $Name, $Value) {
    # Explicitly, because newer versions keep a variable that is set to nothing.
    if ([string]::IsNullOrEmpty($Value)) {
        Remove-Item -LiteralPath ('Env:' + $Name) -ErrorAction Ignore
    } else {
        [System.Environment]::SetEnvironmentVariable($Name, $Value, 'Process')
    }
}

function global:_LlmstackUnwire {
    if ($env:LLMSTACK_HOOKED -ne '1') { return }
    foreach ($name in $global:_LlmstackNames) {
        $old = '_LLMSTACK_OLD_' + $name
        _LlmstackSet $name ([System.Environment]::GetEnvironmentVariable($old))
        _LlmstackSet $old $null
    }
    _LlmstackSet 'LLMSTACK_ACTIVE' $null
    _LlmstackSet 'LLMSTACK_HOOKED' $null
    $global:_LlmstackPrefix = ''
}

# What was there before is put in the environment, so that a shell inside this one can leave too.
function global:_LlmstackWire([string] $Root, [string] $Config, [string] $Channel, [string] $Url, [string] $Prefix) {
    _LlmstackUnwire
    foreach ($name in $global:_LlmstackNames) {
        _LlmstackSet ('_LLMSTACK_OLD_' + $name) ([System.Environment]::GetEnvironmentVariable($name))
    }
    _LlmstackSet 'LLMSTACK_ACTIVE' '1'
    _LlmstackSet 'LLMSTACK_HOOKED' '1'
    _LlmstackSet 'LLMSTACK_WORK_DIR' $Root
    _LlmstackSet 'OPENCODE_CONFIG' $Config
    _LlmstackSet 'LLMSTACK_CHANNEL' $Channel
    if ($Url) { _LlmstackSet 'LLMSTACK_REMOTE_URL' $Url }
    $global:_LlmstackPrefix = $Prefix
}

function global:_LlmstackSeen([string] $Stamp, [string] $Trust) {
    $global:_LlmstackTrust = $Trust
}

# Says a text once for each project; no text forgets the last.
function global:_LlmstackNote([string] $Text) {
    $said = ''
    if ($Text) { $said = $global:_LlmstackRoot + ':' + $Text }
    if ($said -and $said -cne $global:_LlmstackNoted) { [System.Console]::Error.WriteLine($Text) }
    $global:_LlmstackNoted = $said
}

# When the project and the allow-list were changed last, as one text.
function global:_LlmstackTimes {
    $state = [System.IO.Path]::Combine($global:_LlmstackRoot, '.llmstack')
    $files = @($state, [System.IO.Path]::Combine($state, 'opencode.json'))
    if ($global:_LlmstackTrust) { $files += $global:_LlmstackTrust }
    $times = foreach ($file in $files) { [System.IO.File]::GetLastWriteTimeUtc($file).Ticks }
    return ($times -join ' ')
}

function global:_LlmstackLook {
    _LlmstackUnwire
    $trust = $global:_LlmstackTrust
    $global:_LlmstackSeenTimes = _LlmstackTimes
    $program = $global:_LlmstackCommand[0]
    $arguments = $global:_LlmstackCommand[1..($global:_LlmstackCommand.Count - 1)]
    # By the environment, because older versions do not quote arguments for native programs well.
    _LlmstackSet '_LLMSTACK_LOOK_AT' $global:_LlmstackRoot
    try {
        $code = (& $program @arguments 'hook' 'powershell') -join [System.Environment]::NewLine
    } finally {
        _LlmstackSet '_LLMSTACK_LOOK_AT' $null
    }
    if ($code) {
        . ([scriptblock]::Create($code))
        # The first answer says where the allow-list is.
        if ($global:_LlmstackTrust -cne $trust) { $global:_LlmstackSeenTimes = _LlmstackTimes }
    }
}

# Before every prompt. When nothing has changed it starts no process.
function global:_LlmstackHook {
    $found = _LlmstackFind
    if ($found -cne $global:_LlmstackRoot) {
        $global:_LlmstackRoot = $found
        if ($found) { _LlmstackLook } else { _LlmstackUnwire }
    } elseif ($found -and (_LlmstackTimes) -cne $global:_LlmstackSeenTimes) {
        _LlmstackLook
    }
}

# By Test-Path, because in strict mode a variable that is not there is an error.
if (-not (Test-Path Variable:global:_LlmstackLoaded)) {
    $global:_LlmstackLoaded = $true
    $global:_LlmstackRoot = ''
    $global:_LlmstackTrust = ''
    $global:_LlmstackPrefix = ''
    $global:_LlmstackNoted = ''
    $global:_LlmstackSeenTimes = ''
    _LlmstackUnwire
    $global:_LlmstackPrompt = $function:prompt
    function global:prompt {
        $succeeded = $?
        $exitCode = 0
        if (Test-Path Variable:global:LASTEXITCODE) { $exitCode = $global:LASTEXITCODE }
        try { _LlmstackHook } catch { _LlmstackNote '[llmstack] the hook failed; see: llmstack doctor' }
        if ($global:_LlmstackPrefix) { Write-Host -NoNewline $global:_LlmstackPrefix }
        $global:LASTEXITCODE = $exitCode
        # The prompt that was here sees whether the user's last command succeeded.
        if (-not $succeeded) { Write-Error '' -ErrorAction Ignore }
        & $global:_LlmstackPrompt
    }
}

}
