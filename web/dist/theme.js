var t=null;try{t=localStorage.getItem("vivarium.theme")}catch{}(t==="light"||t==="dark")&&(document.documentElement.dataset.theme=t);
