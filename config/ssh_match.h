/*
 * The Match lines of ssh_config: which criteria hold for this destination, user and command. Runs
 * and looks up nothing itself: the world is passed in. For ssh_config.c alone.
 */
#ifndef ADIT_CONFIG_SSH_MATCH_H
#define ADIT_CONFIG_SSH_MATCH_H

#include "config/ssh_config.h"

struct match_question {
    const struct client_options *o; /* as far as they are read */
    const struct client_config_request *request;
    struct report *report;
    bool is_final_pass;
    bool wants_final_pass; /* out: "Match final" asked for a second pass */
};

/*
 * *matches: the line holds, and is_active was true. ERR_CONFIG with an entry in report. A criterion
 * behind one that failed is checked and not asked: "Match host x exec y" runs y for x only.
 */
enum err ssh_match_line(struct match_question *q, const struct line *line,
                        const struct place *place, bool is_active, bool *matches) MUST_USE;

#endif
