"""Which file systems say by an inode that a file is the one it was: otherwise all of a share would be read for ever."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from printsys.jobstore.files import facts_of
from printsys.jobstore.inodes import _keeps_inodes, keeps_inodes

MOUNTS = """\
22 28 0:21 / /proc rw,nosuid shared:12 - proc proc rw
28 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw,errors=remount-ro
30 28 0:40 / /srv/lab rw shared:2 - cifs //nas/lab rw,vers=3.1.1,uid=0,serverino,mapposix
31 28 0:41 / /srv/old rw shared:3 - cifs //old/lab rw,vers=1.0,uid=0,mapposix
32 28 0:42 / /srv/ssh rw - fuse.sshfs lab@host: rw,user_id=0
33 28 8:17 / /media/stick rw master:4 - vfat /dev/sdb1 rw,fmask=0022
34 28 8:33 / /media/disk rw - fuseblk /dev/sdc1 rw,user_id=0
35 28 0:43 / /srv/nfs rw - nfs4 nas:/lab rw,vers=4.2
"""


@pytest.mark.parametrize(
    ("device", "keeps"),
    [
        *(("259:2", True), ("0:40", True), ("0:41", False), ("0:42", False), ("8:17", False), ("8:33", True)),
        *(("0:43", True), ("9:9", True)),
    ],
)
def test_a_mount_says_whether_its_inodes_stay(device: str, keeps: bool) -> None:
    assert _keeps_inodes(MOUNTS, device) == keeps


@pytest.mark.skipif(os.name == "nt", reason="Windows' listings have no inodes")
def test_the_facts_of_a_file_on_a_disk_have_its_inode(tmp_path: Path) -> None:
    status = tmp_path.stat()
    assert facts_of(status).inode == (status.st_ino if keeps_inodes(status.st_dev) else 0)
