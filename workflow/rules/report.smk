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
    log:
        f"{RESULTS}/logs/tables/{{table}}.log",
    params:
        results=results_folder,
        datasets=table_datasets,
        caption=PLAN.config["caption"],
        titles=lambda wildcards: [
            PLAN.datasets[name].content for name in PLAN.tables[wildcards.table]
        ],
    shell:
        "blindbench tables {wildcards.table} --results {params.results}"
        " --datasets {params.datasets} --caption {params.caption:q} > {log} 2>&1"


# A figure shows the first dataset of its table, at the first seed.
rule figure:
    input:
        figure_manifests,
    output:
        png=f"{RESULTS}/figures/{{table}}.png",
        pdf=f"{RESULTS}/figures/{{table}}.pdf",
    log:
        f"{RESULTS}/logs/figures/{{table}}.log",
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
