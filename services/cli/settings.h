/** settings: the command line, the environment and what `tutti up` left behind, as one struct cli.
 */
#ifndef CLI_SETTINGS_H
#define CLI_SETTINGS_H

#include "cli/cli.h"

enum { SETTINGS_TEXT_MAX = 4096 }; /* bytes */

/** Owns the texts that a struct cli points to. */
struct settings {
    char data[SETTINGS_TEXT_MAX];
    char url[SETTINGS_TEXT_MAX];
    char key[SETTINGS_TEXT_MAX];
};

/** Forgets the key. */
void settings_done(struct settings *settings);

/** Index of the command in argv: the first word that is neither a global flag nor its value. */
int settings_first_word(int argc, char **argv);

/** Fills in `cli`. INVALID_ARGUMENT says what is wrong with the command line. */
status settings_read(struct settings *settings, struct cli *cli, int argc, char **argv, int command,
                     bool *ret_help, struct error *reterr);

#endif
