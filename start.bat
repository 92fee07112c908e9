@echo off
rem Double-click: sets the print lab's system up the first time, starts it, and shows it in the browser.
rem Its options are those of "manage.py run", for example: start.bat --demo --port 5001
setlocal
title Print lab
rem pushd gives a network path a drive letter, which cmd needs
pushd "%~dp0"
set "PYTHON="
set "CHECK=import sys; sys.exit(sys.version_info < (3, 11))"
for %%P in ("py -3" "python" "python3") do if not defined PYTHON (%%~P -c "%CHECK%" >nul 2>nul && set "PYTHON=%%~P")
if not defined PYTHON goto :no_python
%PYTHON% manage.py run --desktop %*
if not errorlevel 1 exit /b 0
set "CODE=%ERRORLEVEL%"
echo.
echo The system does not run. The lines above say why.
pause
exit /b %CODE%

:no_python
echo Python 3.11 or newer is not installed on this computer.
echo   1. Get it from https://www.python.org/downloads/windows/
echo   2. In the first window of its installer check "Add python.exe to PATH".
echo   3. Double-click start.bat again.
pause
exit /b 2
