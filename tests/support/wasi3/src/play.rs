//! Calls of a component's exports, with host functions that complete now, later or never.
//!
//! The script is JSON: `{"host": {NAME: {"when": TURNS or null, "returns": WAVE or null}}, "steps": [[CALL, ...], ...]}`
//! with `CALL = [EXPORT, [WAVE, ...]]`. NAME and EXPORT are "interface#function", or a root function's name. A host
//! function completes after so many turns of the event loop, or never. The calls of a step are made at once. For each
//! step one line of JSON is printed: `{"host": [[NAME, [WAVE, ...]], ...], "outcomes": [OUTCOME, ...]}`; an outcome is
//! `{"returns": WAVE or null}`, `{"trap": TEXT}` or `{"pending": true}`. The step after a trap has a fresh instance.

use crate::host::{Host, engine, linker};
use wasmtime::error::Context;
use wasmtime::{Result, bail, format_err};
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Accessor, Component, Func, Instance, Linker, LinkerInstance, Val};
use wasmtime::{Engine, Store};

const PATIENCE: Duration = Duration::from_millis(500);

#[derive(Deserialize)]
struct Script {
    host: BTreeMap<String, HostFunction>,
    steps: Vec<Vec<(String, Vec<String>)>>,
}

#[derive(Clone, Deserialize)]
struct HostFunction {
    when: Option<u32>,
    returns: Option<String>,
}

pub async fn play(file: &str) -> Result<ExitCode> {
    let script: Script = serde_json::from_reader(std::io::stdin())?;
    let engine = engine()?;
    let component = Component::from_file(&engine, file)?;
    let linker = with_host(&engine, &component, &script.host)?;
    let mut running: Option<(Store<Host>, Instance)> = None;
    for step in &script.steps {
        let (mut store, instance) = match running.take() {
            Some(running) => running,
            None => {
                let mut store = Store::new(&engine, Host::new(&[]));
                let instance = linker.instantiate_async(&mut store, &component).await?;
                (store, instance)
            }
        };
        let mut calls = Vec::new();
        for (name, arguments) in step {
            let func = export(&mut store, &instance, name)?;
            let of = func.ty(&store);
            let given = of
                .params()
                .zip(arguments)
                .map(|((_, of), text)| Val::from_wave(&of, text))
                .collect::<wasmtime::Result<Vec<_>>>()?;
            calls.push((func, given, of.results().len()));
        }
        let outcomes = match tokio::time::timeout(PATIENCE, made(&mut store, &calls)).await {
            Ok(Ok(outcomes)) => outcomes,
            Ok(Err(error)) => vec![json!({"trap": format!("{error:?}")})],
            Err(_) => vec![json!({"pending": true})],
        };
        let over = outcomes.iter().any(|outcome| outcome.get("returns").is_none());
        let host = std::mem::take(&mut store.data_mut().calls);
        println!("{}", json!({"host": host, "outcomes": outcomes}));
        if !over {
            running = Some((store, instance));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// One call as an embedder makes it that has nothing else to do, so that a deadlock is told; several at once.
async fn made(store: &mut Store<Host>, calls: &[(Func, Vec<Val>, usize)]) -> Result<Vec<serde_json::Value>> {
    if let [(func, given, results)] = calls {
        let mut found = vec![Val::Bool(false); *results];
        func.call_async(&mut *store, given, &mut found).await?;
        return Ok(vec![returned(&found)?]);
    }
    store
        .run_concurrent(async |store: &Accessor<Host>| -> Result<_> {
            let made = calls.iter().map(async |(func, given, results)| -> Result<_> {
                let mut found = vec![Val::Bool(false); *results];
                func.call_concurrent(store, given, &mut found).await?;
                returned(&found)
            });
            futures::future::try_join_all(made).await
        })
        .await?
}

fn returned(found: &[Val]) -> Result<serde_json::Value> {
    let text = found.first().map(Val::to_wave).transpose()?;
    Ok(json!({"returns": text}))
}

fn export(store: &mut Store<Host>, instance: &Instance, name: &str) -> Result<Func> {
    let missing = || format_err!("no export {name}");
    let (interface, func) = name.split_once('#').map_or((None, name), |(a, b)| (Some(a), b));
    let parent = match interface {
        Some(interface) => Some(instance.get_export_index(&mut *store, None, interface).with_context(missing)?),
        None => None,
    };
    let index = instance.get_export_index(&mut *store, parent.as_ref(), func).with_context(missing)?;
    instance.get_func(store, index).with_context(missing)
}

fn with_host(engine: &Engine, component: &Component, host: &BTreeMap<String, HostFunction>) -> Result<Linker<Host>> {
    let mut linker = linker(engine)?;
    for (name, item) in component.component_type().imports(engine) {
        match item.ty {
            ComponentItem::ComponentFunc(of) => provide(&mut linker.root(), name, name, &of, host)?,
            ComponentItem::ComponentInstance(instance) if !name.starts_with("wasi:") => {
                for (inner, item) in instance.exports(engine) {
                    if let ComponentItem::ComponentFunc(of) = item.ty {
                        provide(&mut linker.instance(name)?, inner, &format!("{name}#{inner}"), &of, host)?;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(linker)
}

fn provide(
    linker: &mut LinkerInstance<'_, Host>,
    name: &str,
    full: &str,
    of: &ComponentFunc,
    host: &BTreeMap<String, HostFunction>,
) -> Result<()> {
    let Some(function) = host.get(full).cloned() else { bail!("nothing provides {full}") };
    let full = full.to_owned();
    if of.async_() {
        linker.func_new_concurrent(name, move |store, of, given, found| {
            let (full, function) = (full.clone(), function.clone());
            Box::pin(async move {
                let written = given.iter().map(Val::to_wave).collect::<wasmtime::Result<_>>()?;
                store.with(|mut store| store.data_mut().calls.push((full, written)));
                match function.when {
                    Some(turns) => {
                        for _ in 0..turns {
                            tokio::task::yield_now().await;
                        }
                    }
                    None => std::future::pending().await,
                }
                fill(&of, &function, found)
            })
        })?;
    } else {
        linker.func_new(name, move |mut store, of, given, found| {
            let written = given.iter().map(Val::to_wave).collect::<wasmtime::Result<_>>()?;
            store.data_mut().calls.push((full.clone(), written));
            fill(&of, &function, found)
        })?;
    }
    Ok(())
}

fn fill(of: &ComponentFunc, function: &HostFunction, found: &mut [Val]) -> wasmtime::Result<()> {
    if let (Some(of), Some(text)) = (of.results().next(), &function.returns) {
        found[0] = Val::from_wave(&of, text)?;
    }
    Ok(())
}
