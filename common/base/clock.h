/**
 * clock: the two times of a process.
 *
 * Code that decides takes the time as a parameter; only loops and mains read these clocks.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/** Monotonic milliseconds since boot: for deadlines and durations inside one process. */
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);

/** Microseconds of Unix time: for what is stored or shown. May step. */
int64_t clock_unix_us(void);

/** Microseconds of CPU that all threads of this process have used, also those that have ended. */
int64_t clock_process_cpu_us(void);

/** Likewise of the calling thread. */
int64_t clock_thread_cpu_us(void);

enum { TIME_TEXT_SIZE = 32 }; /* bytes, with the NUL */

/** Writes RFC 3339 in UTC with milliseconds: "2026-11-22T10:00:00.000Z". */
void time_format(int64_t unix_us, char text[static TIME_TEXT_SIZE]);

/** Reads RFC 3339 with any offset and up to 9 fraction digits; false if it is not one. */
bool time_parse(str text, int64_t *ret_unix_us);

/** Reads "90s", "15m", "24h", "30d", "250ms" or ISO 8601 ("PT1H30M", "P1D", "PT0.5S"; no months or
 * years: they have no fixed length). Not negative; at most 100 years. Fractions: seconds only, up
 * to 9 digits, cut to microseconds. */
bool duration_parse(str text, int64_t *ret_us);

/** Writes the shortest exact form that duration_parse() reads: "90s", "250ms", "36h", "30d";
 * "PT0.000250S" if it is no whole number of milliseconds. */
void duration_format(int64_t us, char text[static TIME_TEXT_SIZE]);

#endif
