"""What the system tells of a process, and where processes run."""

from __future__ import annotations

import os
import time

from bench.process import Cores, choose_cores, cpu_ticks, pinned, resident_kb


def test_processor_time_when_the_name_holds_spaces_and_brackets():
    assert cpu_ticks("17 (a) b) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 1 0 99") == 300


def test_processor_time_of_this_process():
    with open("/proc/self/stat") as stat:
        seconds = cpu_ticks(stat.read()) / os.sysconf("SC_CLK_TCK")
    assert abs(seconds - time.process_time()) < 0.5


def test_resident_memory():
    assert resident_kb("Name:\tpython\nVmPeak:\t 99 kB\nVmRSS:\t   71680 kB\nThreads:\t4\n") == 71_680


def test_servers_and_load_have_a_core_each_when_there_are_two():
    assert choose_cores({0, 1, 5}) == Cores(server=5, load=0)
    assert choose_cores({3}) == Cores(server=None, load=None)


def test_pinning_ends_with_its_block():
    before = os.sched_getaffinity(0)
    with pinned(min(before)):
        assert os.sched_getaffinity(0) == {min(before)}
    assert os.sched_getaffinity(0) == before
