/* Counting what forwards carry. */
#include "tunnel/tally.h"

static void add(struct tally_sum *sum, const struct splice_report *report)
{
    sum->bytes_in += report->bytes_to_stream;
    sum->bytes_out += report->bytes_to_channel;
}

void tally_init(struct tally *t)
{
    *t = (struct tally){0};
    list_init(&t->open);
}

void tally_done(struct tally *t)
{
    LIST_FOR (v, &t->open, struct visit, link) {
        list_remove(&v->link);
        v->tally = NULL;
    }
}

struct tally_sum tally_sum(const struct tally *t)
{
    struct tally_sum sum = t->ended;
    LIST_FOR (v, &t->open, struct visit, link) {
        add(&sum, splice_so_far(v->splice));
        sum.open++;
    }
    return sum;
}

void visit_begin(struct visit *v, struct tally *t, const struct splice *sp)
{
    *v = (struct visit){.tally = t, .splice = sp};
    list_append(&t->open, &v->link);
    t->ended.connections++;
}

void visit_end(struct visit *v, const struct splice_report *report)
{
    if (!v->tally)
        return;
    add(&v->tally->ended, report);
    list_remove(&v->link);
    v->tally = NULL;
}
