/* confine PROFILE PROGRAM [ARGUMENT...]: runs a program under a seccomp profile, as a container
 * runtime does. Exit status of the program; 125: it was not started. */
#include "profile.h"

#include <stdio.h>
#include <unistd.h>

enum { NOT_STARTED = 125 };

/* What looks for leaks when a program of ours ends is another process of it that stops it, by a
 * call which the profile denies. */
#ifdef __SANITIZE_ADDRESS__
#define ALSO "ptrace"
#else
#define ALSO NULL
#endif

int main(int argc, char **argv)
{
    struct error error = {};
    if (argc < 3) {
        (void)fputs("usage: confine PROFILE PROGRAM [ARGUMENT...]\n", stderr);
        return NOT_STARTED;
    }
    if (profile_load(argv[1], &(struct profile_change){.also = ALSO}, &error) != STATUS_OK) {
        (void)fprintf(stderr, "confine: %s\n", error.text);
        return NOT_STARTED;
    }
    (void)execv(argv[2], argv + 2);
    (void)fprintf(stderr, "confine: %s: %m\n", argv[2]);
    return NOT_STARTED;
}
