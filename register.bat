@echo off
rem Double-click: lets "Open in slicer" in the dashboard open files on this computer. docs\opener.md says more.
call "%~dp0opener\register.bat" %*
