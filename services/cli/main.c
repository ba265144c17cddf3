/* tutti: the command line, from its words to a command of commands.c. */
#include "cli/cli.h"

#include "base/arena.h"
#include "base/diagnostic.h"
#include "base/process.h"
#include "cli/settings.h"
#include "http/http.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { NAME_WIDTH = 9, USAGE_WIDTH = 24 /* columns of the list of commands */ };

static void print_help(FILE *out)
{
    (void)fprintf(out, "tutti %s: durable workflows of LLM calls, tool calls, waits and people\n\n",
                  TUTTI_VERSION);
    (void)fprintf(out, "usage: tutti [GLOBAL FLAGS] COMMAND ...\n\n");
    for (const struct cli_command *command = cli_commands; command->name; command++) {
        /* A long name takes its room from the usage: the last column stays where it is. */
        int length = (int)strlen(command->name);
        int usage  = length > NAME_WIDTH ? USAGE_WIDTH - (length - NAME_WIDTH) : USAGE_WIDTH;
        (void)fprintf(out, "  %-*s %-*s %s\n", NAME_WIDTH, command->name, usage, command->usage,
                      command->doc);
    }
    (void)fprintf(
        out,
        "\nglobal flags, before or after the command:\n"
        "  --url URL        of the gateway (TUTTI_URL; else as `tutti up` left it)\n"
        "  --key KEY        API key (TUTTI_KEY; else DIR/admin.key, for a local gateway)\n"
        "  --namespace NAME work in this namespace (TUTTI_NAMESPACE)\n"
        "  --data DIR       folder of `tutti up` (TUTTI_DATA; else ~/.local/share/tutti)\n"
        "  --json           JSON instead of text\n"
        "  --help           this text, or that of a command\n\n"
        "exit codes: 0 done, 1 done with a bad result, 2 wrong command line, 3 refused by the\n"
        "server, 4 server not reached or failed, 5 waited too long\n");
}

static void print_command_help(const struct cli_command *command)
{
    (void)printf("usage: tutti %s %s\n\n%s\n", command->name, command->usage, command->doc);
    if (command->more) (void)printf("\n%s\n", command->more);
    const struct cli_flag *flag = command->flags;
    if (flag) (void)printf("\n");
    for (; flag && flag->name; flag++) {
        char name[64];
        (void)snprintf(name, sizeof name, "%s%s%s", flag->name, flag->value ? " " : "",
                       flag->value ? flag->value : "");
        (void)printf("  %-20s %s\n", name, flag->doc);
    }
}

static const struct cli_command *find_command(const char *name)
{
    for (const struct cli_command *command = cli_commands; command->name; command++) {
        if (strcmp(command->name, name) == 0) return command;
    }
    const char *names[CLI_COMMANDS_MAX];
    size_t count = 0;
    for (; count < CLI_COMMANDS_MAX && cli_commands[count].name; count++) {
        names[count] = cli_commands[count].name;
    }
    const char *near = nearest_name(str_from(name), names, count);
    (void)fprintf(stderr, "tutti: there is no command `%s`%s%s%s\n", name,
                  near ? "; did you mean `" : "", near ? near : "", near ? "`?" : "");
    return NULL;
}

int main(int argc, char **argv)
{
    struct error error = {};
    if (http_init(&error) != STATUS_OK) {
        (void)fprintf(stderr, "tutti: %s\n", error.text);
        return CLI_UNREACHABLE;
    }
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0 ||
        strcmp(argv[1], "-h") == 0) {
        print_help(argc < 2 ? stderr : stdout);
        return argc < 2 ? CLI_USAGE : CLI_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)printf("tutti %s\n", TUTTI_VERSION);
        return CLI_OK;
    }

    CLEANUP(settings_done) struct settings settings = {};
    struct cli cli                                  = {.is_terminal = isatty(STDOUT_FILENO) == 1};
    int first                                       = settings_first_word(argc, argv);
    if (first == argc) {
        (void)fprintf(stderr, "tutti: a command is missing; see tutti --help\n");
        return CLI_USAGE;
    }
    cli.command = find_command(argv[first]);
    if (!cli.command) return CLI_USAGE;
    bool wants_help = false;
    if (settings_read(&settings, &cli, argc, argv, first, &wants_help, &error) != STATUS_OK) {
        (void)fprintf(stderr, "tutti %s: %s\nusage: tutti %s %s\n", cli.command->name, error.text,
                      cli.command->name, cli.command->usage);
        return CLI_USAGE;
    }
    if (wants_help) {
        print_command_help(cli.command);
        return CLI_OK;
    }
    return (int)cli.command->run(&cli);
}
