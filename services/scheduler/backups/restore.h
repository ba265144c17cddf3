/**
 * restore: looks whether a backup is whole, and makes data of it again. Nothing else may run on
 * either folder meanwhile.
 *
 * Threads: one.
 */
#ifndef SCHEDULER_RESTORE_H
#define SCHEDULER_RESTORE_H

#include "scheduler/backups/manifest.h"
#include "scheduler/backups/proof.h"

/**
 * Reads the whole backup: the digests of its manifest, every row of every table, and what must hold
 * between them. DATA_LOSS: the manifest or a file is damaged; else as manifest_read(). What does
 * not fit together is told and counted in `ret_proof`.
 */
status backup_verify(const char *folder, proof_listener *on_fault, void *context,
                     struct manifest *ret_manifest, struct proof *ret_proof, struct error *reterr);

/**
 * Makes the data folder of a scheduler from the backup. It must not be there, or be empty, and
 * appears whole: what is put together until then is `data`.restoring. Each partition gets the next
 * epoch and another key for leases, so that leases of before are void; open jobs are offered again
 * under their old idempotency keys.
 *
 * ALREADY_EXISTS: `data` holds something, or a restore was cut short. DATA_LOSS: the backup is
 * damaged. Else as manifest_read(), or the file system's.
 */
status backup_restore(const char *folder, const char *data, struct manifest *ret_manifest,
                      struct error *reterr);

#endif
