@echo off
rem Registers the opener for the person who is logged in; nobody needs to be an administrator.
rem   register.bat P:\printlab      or a double click, and it asks
setlocal
rem pushd, since the opener may lie on a network path
pushd "%~dp0.."
set "STORAGE=%~1"
if "%STORAGE%"=="" set /p "STORAGE=Where is the lab's storage on this computer (for example P:\printlab)? "
if "%STORAGE%"=="" goto :nothing
rem The dot keeps a backslash at the end of the path from swallowing the quote behind it
where py >nul 2>nul && (py -3 -m opener install --storage "%STORAGE%\." & goto :said)
where python >nul 2>nul && (python -m opener install --storage "%STORAGE%\." & goto :said)
echo Python 3.11 or newer is not installed. Please get it from https://www.python.org/downloads/windows/
pause
exit /b 2
:nothing
echo Nothing was registered.
pause
exit /b 2
:said
set "CODE=%ERRORLEVEL%"
if not "%CODE%"=="0" echo Nothing was registered.
pause
exit /b %CODE%
