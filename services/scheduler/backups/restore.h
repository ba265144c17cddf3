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
#include "scheduler/backups/replay.h"

/**
 * Reads the whole backup: the digests of its manifest, every row of every table, and what must hold
 * between them. DATA_LOSS: the manifest or a file is damaged; else as backup_manifest_read(). What
 * does not fit together is told and counted in `ret_proof`.
 */
status backup_verify(const char *folder, proof_listener *on_fault, void *context,
                     struct backup_manifest *ret_manifest, struct proof *ret_proof,
                     struct error *reterr);

/** What to restore. */
struct restore_order {
    const char *folder;   /* of the backup */
    const char *data;     /* to make */
    const char *archive;  /* NULL: the backup alone */
    const char *erasures; /* folder of the lists of erasures; NULL: the one around `folder` */
    int64_t until_us;     /* INT64_MAX: to the end of the archive */
};

struct restored {
    int64_t until_us; /* what was acknowledged later is lost */
    struct replay_sum replayed;
    uint64_t erasures;  /* of after that, which will be done again */
    uint16_t unlisted;  /* partitions without a list of erasures */
    struct proof proof; /* with an archive */
};

/**
 * Makes the data folder of a scheduler from the backup. It must not be there, or be empty, and
 * appears whole: what is put together until then is `data`.restoring. Each partition gets the next
 * epoch and another key for leases, so that leases of before are void; open jobs are offered again
 * under their old idempotency keys.
 *
 * With an archive, what was committed behind the backup is done again, up to the moment, the same
 * one for all partitions, and the result is proved (proof.h); it is not placed if it does not fit
 * together. If the archive of a partition ends earlier, that is the moment.
 *
 * What the lists of erasures (erasure_file.h) know and the data do not is noted in them: the
 * scheduler does it again as it starts.
 *
 * ALREADY_EXISTS: `data` holds something, or a restore was cut short. INVALID_ARGUMENT: the moment
 * is before the backup. FAILED_PRECONDITION: the backup was made without an archive. DATA_LOSS: the
 * backup, the archive or a list of erasures is damaged. Else as backup_manifest_read(), or the file
 * system's.
 */
status backup_restore(const struct restore_order *order, struct backup_manifest *ret_manifest,
                      struct restored *ret_restored, struct error *reterr);

#endif
