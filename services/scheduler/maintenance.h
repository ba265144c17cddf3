/**
 * maintenance: what tutti-scheduler does besides serving, with folders that nobody else uses:
 *
 *     tutti-scheduler verify FOLDER [--json]            a backup, or data of a stopped scheduler
 *     tutti-scheduler restore BACKUP --to DATA [--archive FOLDER [--until TIME]]
 *                            [--erasures FOLDER] [--json]
 *
 * Exit codes: 0 whole, or restored; 1 it does not fit together; 2 wrong command line; 3 refused (no
 * backup, a newer format, something is in the way, in use); 4 a file could not be read or written.
 */
#ifndef SCHEDULER_MAINTENANCE_H
#define SCHEDULER_MAINTENANCE_H

#include <stdbool.h>

/** False: `argv` asks for nothing of that. */
bool maintenance_main(int argc, char **argv, int *ret_exit_code);

#endif
