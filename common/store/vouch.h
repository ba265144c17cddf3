/**
 * vouch: whether the page cache may be believed about a store's file.
 *
 * What the owner has committed is in its file as the page cache shows it, but on the disk only as
 * of the last checkpoint, and in between anything may be there. So after the machine has died the
 * file must be put in order before anybody reads it; as long as it lives, all is well. Which of the
 * two it is, the kernel knows: whoever has the store open holds a lock that says so, and a lock
 * ends with its process, never later than the machine.
 *
 * Two bytes of the file that disk_lock() makes (owner). One is the door: held by whoever finds out,
 * and by the owner while it puts the file in order. The other is held, shared, by all who have the
 * store open and have found it in order. Nobody holds it: the owner starts from the checkpoint and
 * the log; a reader must wait for the owner.
 *
 * Locks belong to the open file (F_OFD_SETLK), not to the process.
 */
#ifndef STORE_VOUCH_H
#define STORE_VOUCH_H

#include "base/status.h"

#include <stdbool.h>

/** Opens the file of `folder` for a reader. Owned: close(2), which lets go. NOT_FOUND: no owner was
 * ever there. UNAVAILABLE. */
status vouch_open(const char *folder, int *ret_fd, struct error *reterr);

/** Closes the door behind the caller; waits for those before. UNAVAILABLE. */
status vouch_enter(int fd, struct error *reterr);

/** Says whether somebody else vouches. Behind the door. */
bool vouch_is_given(int fd);

/** Vouches from now on, until `fd` is closed. Behind the door. UNAVAILABLE. */
status vouch_give(int fd, struct error *reterr);

/** Opens the door. */
void vouch_leave(int fd);

#endif
