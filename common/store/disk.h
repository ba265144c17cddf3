/**
 * disk: what the store must know about the disk under a folder.
 *
 * The time of a sync rules everything durable: publish it beside every durable number.
 */
#ifndef STORE_DISK_H
#define STORE_DISK_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    DISK_PROBE_ROUNDS_MAX = 1000,
    DISK_FULL_BYTES       = 1 << 20, /* with less room than this a disk is full */
};

/**
 * Measures how long one synced write of 4 KiB takes in `folder`: the p50 of `rounds` times pwrite
 * into an already written file, then fdatasync. Leaves no file behind. Blocks for rounds x sync.
 * Fails with UNAVAILABLE.
 */
status disk_probe_sync(const char *folder, unsigned rounds, int64_t *ret_p50_us,
                       struct error *reterr);

/** Names the network file system with this magic number of statfs(2) ("nfs"), or NULL if it is none
 * that we know. FUSE counts as one: what is behind it cannot be told. */
const char *disk_network_name(uint64_t magic);

/** FAILED_PRECONDITION if `folder` is on a network file system, UNAVAILABLE if it cannot be read.
 */
status disk_check_local(const char *folder, struct error *reterr);

/** Locks `folder` for one owner, by a file named `owner`; the kernel lets go when the process ends.
 * On OK `*ret_fd` is owned: close(2) unlocks. FAILED_PRECONDITION if another one owns it. */
status disk_lock(const char *folder, int *ret_fd, struct error *reterr);

/** Says whether the disk of an open file has less room than DISK_FULL_BYTES. Where that cannot be
 * told: false. */
bool disk_is_full(int fd);

/** Writes all of it. `what` names the file in the text. RESOURCE_EXHAUSTED: the disk is full, and a
 * part may be there. UNAVAILABLE. */
status disk_write(int fd, const void *data, size_t len, off_t offset, const char *what,
                  struct error *reterr);

/** Makes an open file durable. UNAVAILABLE is final: nobody knows what is on disk, and syncing
 * again proves nothing. */
status disk_sync(int fd, const char *what, struct error *reterr);

/** The same for one that changed a lot: first in pieces, so that syncs of other files need not wait
 * for all of it. */
status disk_sync_gently(int fd, const char *what, struct error *reterr);

/** Makes durable which names `folder` holds: after making or renaming something in it. UNAVAILABLE.
 */
status disk_sync_folder(const char *folder, struct error *reterr);

#endif
