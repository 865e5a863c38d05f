#Requires -Version 5.1
<#
.SYNOPSIS
    Starts a Celery worker for every queue and Celery beat in windows of their own.
.DESCRIPTION
    For those who run the parts by hand against their own Redis or Memurai.
    `python run.py` does this and more by itself.
.PARAMETER RedisUrl
    Address of the broker. Default: CELERY_BROKER_URL, else REDIS_URL (environment, then .env),
    else redis://127.0.0.1:6379/0.
#>
[CmdletBinding()]
param(
    [string]$RedisUrl = ''
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

$root = Split-Path -Parent $PSScriptRoot
Set-Location -Path $root

function Get-DotEnvValue {
    param([string]$Name)
    $file = Join-Path $root '.env'
    if (-not (Test-Path -Path $file)) { return '' }
    foreach ($line in Get-Content -Path $file -Encoding UTF8) {
        if ($line -match "^\s*$Name\s*=\s*(.+?)\s*$") {
            return $Matches[1].Trim('"', "'")
        }
    }
    return ''
}

function Test-Port {
    param([string]$HostName, [int]$Port)
    $client = New-Object System.Net.Sockets.TcpClient
    try {
        $attempt = $client.ConnectAsync($HostName, $Port)
        return $attempt.Wait(2000) -and $client.Connected
    }
    catch {
        return $false
    }
    finally {
        $client.Dispose()
    }
}

$python = Join-Path $root '.venv\Scripts\python.exe'
if (-not (Test-Path -Path $python)) {
    Write-Host 'The environment is not set up yet; running: python run.py setup'
    & python run.py setup
    if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }
}

if (-not $RedisUrl) {
    foreach ($name in @('CELERY_BROKER_URL', 'REDIS_URL')) {
        $value = [Environment]::GetEnvironmentVariable($name)
        if (-not $value) { $value = Get-DotEnvValue -Name $name }
        if ($value) {
            $RedisUrl = $value
            break
        }
    }
}
if (-not $RedisUrl) { $RedisUrl = 'redis://127.0.0.1:6379/0' }

$address = [Uri]$RedisUrl
$port = 6379
if ($address.Port -gt 0) { $port = $address.Port }

if (-not (Test-Port -HostName $address.Host -Port $port)) {
    foreach ($serviceName in @('Memurai', 'Redis')) {
        $service = Get-Service -Name $serviceName -ErrorAction SilentlyContinue
        if ($null -ne $service -and $service.Status -ne 'Running') {
            Write-Host "Starting the service $serviceName ..."
            Start-Service -Name $serviceName
            break
        }
    }
    Start-Sleep -Seconds 2
    if (-not (Test-Port -HostName $address.Host -Port $port)) {
        Write-Host "No Redis or Memurai answers at $($address.Host):$port." -ForegroundColor Red
        Write-Host 'Install Memurai (https://www.memurai.com), or run Redis in Docker:'
        Write-Host '    docker run -p 127.0.0.1:6379:6379 redis:7'
        Write-Host 'or start the desk with its own broker: python run.py'
        exit 1
    }
}

$env:REDIS_URL = $RedisUrl

$worker = @('-m', 'celery', '-A', 'backend.celery_app', 'worker', '--loglevel=info', '--pool=threads')
$beat = @('-m', 'celery', '-A', 'backend.celery_app', 'beat', '--loglevel=info')

Start-Process -FilePath $python -ArgumentList $worker -WorkingDirectory $root
Start-Process -FilePath $python -ArgumentList $beat -WorkingDirectory $root

Write-Host 'Worker and beat are running in windows of their own; close a window to end it.' -ForegroundColor Green
