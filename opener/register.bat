@echo off
rem Registers the opener for the person who is logged in; nobody needs to be an administrator.
rem   register.bat P:\printlab      or a double-click, and it asks
setlocal
rem pushd, since the opener may lie on a network path
pushd "%~dp0.."
set "PYTHON="
set "CHECK=import sys; sys.exit(sys.version_info < (3, 11))"
for %%P in ("py -3" "python" "python3") do if not defined PYTHON (%%~P -c "%CHECK%" >nul 2>nul && set "PYTHON=%%~P")
if not defined PYTHON goto :no_python
set "STORAGE=%~1"
if "%STORAGE%"=="" set /p "STORAGE=Where is the lab's storage on this computer (for example P:\printlab)? "
if "%STORAGE%"=="" goto :nothing
rem The dot keeps a backslash at the end of the path from swallowing the quote behind it
%PYTHON% -m opener install --storage "%STORAGE%\."
if errorlevel 1 goto :nothing
pause
exit /b 0

:nothing
echo Nothing was registered.
pause
exit /b 1

:no_python
echo Python 3.11 or newer is not installed on this computer. Get it from
echo   https://www.python.org/downloads/windows/
echo and double-click register.bat again.
pause
exit /b 2
