/**
 * profile: a seccomp profile as the runtime specification of the OCI has it (config-linux.md,
 * "Seccomp"), which is what Docker, Podman, containerd and Kubernetes read, put into force for the
 * calling process and whatever it starts.
 *
 * It is read strictly: a member or a call that is not known is an error, where container runtimes
 * pass over it. Calls that are younger than libseccomp are passed over here, too.
 */
#ifndef CONFINED_PROFILE_H
#define CONFINED_PROFILE_H

#include "base/status.h"

enum { PROFILE_SIZE_MAX = 1 << 20 };

struct profile_change {
    int denied; /* number of the error of what is not named, instead of the profile's own; 0: that
                 */
    const char *also; /* one more call that is allowed; NULL: none */
};

/** Nothing takes it back. INVALID_ARGUMENT: the profile is wrong; FAILED_PRECONDITION: the kernel
 * does not take it. */
status profile_load(const char *path, const struct profile_change *change, struct error *reterr);

/** The number of a call by its name; below 0: this machine has none of it. */
int profile_call(const char *name);

#endif
