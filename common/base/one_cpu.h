/**
 * one_cpu: keeps the threads of a process on one CPU while one is enough for them.
 *
 * Threads that hand a message from one to the next, and wait in between, gain nothing from several
 * CPUs: the kernel wakes each on one that sleeps, and then the waking costs more than the work
 * (measured in a virtual machine: 3 us of CPU for a hand-over on the same CPU, 30 to another one,
 * of which most is the interrupt; docs/performance.md). Which CPU is the kernel's choice: every few
 * seconds it may put them elsewhere, and they gather again where they are then.
 *
 * A process that needs more than one CPU has all that it may use. One that does nothing stays as it
 * is: looking after it would be all that it does.
 *
 * Threads: new, tend and free from one thread; those that are moved need not know.
 */
#ifndef BASE_ONE_CPU_H
#define BASE_ONE_CPU_H

#include <stdint.h>

enum {
    ONE_CPU_LOOK_MS      = 1'000,  /* how often it looks at what was used */
    ONE_CPU_STAY_MS      = 10'000, /* then all are free for one look */
    ONE_CPU_FULL_PERCENT = 95,     /* of one CPU: from here on it is not enough */
    ONE_CPU_IDLE_PERCENT = 2,      /* below, nothing is changed */
};

struct one_cpu;

/** Owned: one_cpu_free(). NULL: the calling thread may use one CPU only, or nobody says which. */
struct one_cpu *one_cpu_new(void);

/** Spreads the threads again. NULL is fine. */
void one_cpu_free(struct one_cpu *one);

/** Looks and acts if it is time. `now_us` on a clock that never goes back; `used_us`: what the
 * process has used so far (clock_process_cpu_us()). NULL is fine. */
void one_cpu_tend(struct one_cpu *one, int64_t now_us, int64_t used_us);

#endif
