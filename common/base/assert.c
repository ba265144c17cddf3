#include "base/assert.h"

#include <execinfo.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { FRAMES_MAX = 64 };

/* Straight to the descriptor: the process may be out of memory or inside the logger. */
void assert_failed(const char *condition, const char *file, int line)
{
    (void)dprintf(STDERR_FILENO, "%s:%d: assertion failed: %s\n", file, line, condition);
    void *frames[FRAMES_MAX];
    backtrace_symbols_fd(frames, backtrace(frames, FRAMES_MAX), STDERR_FILENO);
#ifndef TUTTI_FUZZ                  /* a fuzzer keeps what led here */
    (void)signal(SIGABRT, SIG_DFL); /* a crash log would only say it again */
#endif
    abort();
}
