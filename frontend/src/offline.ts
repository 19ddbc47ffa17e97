import { mount } from "svelte";
import "./app.css";
import Offline from "./Offline.svelte";

mount(Offline, { target: document.getElementById("app")! });
