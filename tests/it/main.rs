//! All integration tests, in one binary: each file is one subject.

mod agreement;
mod completions;
mod doctor;
mod errors;
mod hostile_receiver;
mod hostile_sender;
mod hostile_server;
mod json_events;
mod lan;
mod lasting;
mod layering;
mod library;
mod reliability;
mod screens;
mod session;
mod support;
mod terminal;
mod transfer;
mod tunnel;
mod vectors;
