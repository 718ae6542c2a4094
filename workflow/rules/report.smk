# From scores to tables and figures.


rule collect:
    input:
        scores=all_scores(),
        runs=all_manifests(),
    output:
        scores=f"{RESULTS}/scores.csv",
        runs=f"{RESULTS}/runs.csv",
    log:
        f"{RESULTS}/logs/collect.log",
    params:
        results=results_folder,
    shell:
        "blindbench collect {input.scores} {input.runs} --results {params.results} > {log} 2>&1"


rule table:
    input:
        scores=f"{RESULTS}/scores.csv",
        runs=f"{RESULTS}/runs.csv",
    output:
        csv=f"{RESULTS}/tables/{{table}}.csv",
        md=f"{RESULTS}/tables/{{table}}.md",
        tex=f"{RESULTS}/tables/{{table}}.tex",
    log:
        f"{RESULTS}/logs/tables/{{table}}.log",
    params:
        results=results_folder,
        datasets=own_datasets,
        caption=PLAN.config["caption"],
        content=table_content,
    shell:
        "blindbench tables {wildcards.table} --results {params.results} {params.datasets}"
        " --caption {params.caption:q} > {log} 2>&1"


rule score_plot:
    input:
        scores=f"{RESULTS}/scores.csv",
        runs=f"{RESULTS}/runs.csv",
    output:
        png=f"{RESULTS}/figures/{{table}}-scores.png",
        pdf=f"{RESULTS}/figures/{{table}}-scores.pdf",
    log:
        f"{RESULTS}/logs/figures/{{table}}-scores.log",
    params:
        results=results_folder,
        datasets=own_datasets,
        content=table_content,
    shell:
        "blindbench score-plot {wildcards.table} --results {params.results} {params.datasets}"
        " > {log} 2>&1"


# A figure shows cases of the first dataset of its table, at the first seed.
rule figure:
    input:
        figure_manifests,
    output:
        png=f"{RESULTS}/figures/{{table}}.png",
        pdf=f"{RESULTS}/figures/{{table}}.pdf",
    log:
        f"{RESULTS}/logs/figures/{{table}}.log",
    wildcard_constraints:
        table="|".join(SHOWN_TABLES),
    params:
        results=results_folder,
        dataset=figure_dataset,
        cases=figure_cases,
        methods=",".join(PLAN.methods),
        seed=PLAN.config["seeds"][0],
    shell:
        "blindbench figures {wildcards.table} --results {params.results}"
        " --dataset {params.dataset} --cases {params.cases} --methods {params.methods}"
        " --seed {params.seed} > {log} 2>&1"
