# From scores to tables and figures, and to the page that shows them.


rule collect:
    input:
        PLAN.joined_inputs(),
    output:
        PLAN.joined,
    log:
        f"{RESULTS}/logs/collect.log",
    params:
        results=results,
    shell:
        "blindbench collect --results {params.results:q} > {log:q} 2>&1"


rule table:
    input:
        lambda wildcards: PLAN.table_inputs(wildcards.table),
    output:
        multiext(f"{RESULTS}/tables/{{table}}", ".csv", ".md", ".tex"),
    log:
        f"{RESULTS}/logs/tables/{{table}}.log",
    params:
        results=results,
        decides=lambda wildcards: stale.table(PLAN, wildcards.table),
    shell:
        "blindbench table {wildcards.table:q} --results {params.results:q} > {log:q} 2>&1"


# The page of a run. Its pictures lie beside it, in report/, where an unchanged one is kept.
rule report_page:
    input:
        PLAN.default_tables,
    output:
        report(str(PLAN.store.report), caption="../report/page.rst", category="Results"),
    log:
        f"{RESULTS}/logs/report.log",
    params:
        results=results,
        decides=stale.report(PLAN),
    shell:
        "blindbench report --results {params.results:q} > {log:q} 2>&1"


# What a figure leaves out, and why, stands in the figure, in its log, and in the message of its job.
rule figure:
    input:
        lambda wildcards: PLAN.figure_inputs(wildcards.figure),
    output:
        multiext(f"{RESULTS}/figures/{{figure}}", ".png", ".pdf"),
    log:
        f"{RESULTS}/logs/figures/{{figure}}.log",
    params:
        results=results,
        notes=lambda wildcards: " ".join(
            f"{note}." for note in PLAN.figures[wildcards.figure].notes
        ),
        decides=lambda wildcards: stale.figure(PLAN, wildcards.figure),
    message:
        "Draw {wildcards.figure}. {params.notes}"
    shell:
        "blindbench figure {wildcards.figure:q} --results {params.results:q} > {log:q} 2>&1"


# The tables, the figures and the page of the ledger, from its rows alone; seconds, so it always runs.
rule reference:
    input:
        "results/reference/rows.csv.gz",
    log:
        f"{RESULTS}/logs/reference.log",
    shell:
        "blindbench leaderboard results/reference > {log:q} 2>&1"
